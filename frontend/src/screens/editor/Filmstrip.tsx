import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ImageList } from "../../lists/image_list";
import { Thumb } from "../Thumb";
import { shortName, STATES } from "../wording";
import { useWorkplace } from "../workplace";

const STEP = 76;
const BEYOND = 3;

/** The queue around the image in hand. */
export function Filmstrip({ list, place, imageKey, open }: { list: ImageList; place: number | null; imageKey: number; open: (key: number) => void }) {
  const { preferences } = useWorkplace();
  const strip = useRef<HTMLElement>(null);
  const [box, setBox] = useState({ left: 0, width: 0 });
  const total = list.total ?? 0;
  const from = Math.max(0, Math.floor(box.left / STEP) - BEYOND);
  const to = Math.min(total, Math.ceil((box.left + box.width) / STEP) + BEYOND);
  useLayoutEffect(() => {
    const element = strip.current!;
    const measure = () => setBox({ left: element.scrollLeft, width: element.clientWidth });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    const onWheel = (event: WheelEvent) => {
      if (event.deltaX !== 0) return;
      event.preventDefault();
      element.scrollLeft += event.deltaY;
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => {
      observer.disconnect();
      element.removeEventListener("wheel", onWheel);
    };
  }, []);
  useEffect(() => {
    if (place !== null && strip.current !== null) strip.current.scrollLeft = place * STEP - strip.current.clientWidth / 2 + STEP / 2;
  }, [place, total > 0]);
  useEffect(() => {
    if (to > from) void list.ensure(from, to);
  }, [list, from, to]);
  const frames = [];
  for (let i = from; i < to; i++) {
    const item = list.at(i);
    const style = { transform: `translateX(${i * STEP}px)` };
    frames.push(
      item === undefined ? (
        <span key={`empty ${i}`} class="frame skeleton" style={style} />
      ) : (
        <button
          key={item.key}
          class="frame"
          style={style}
          tabIndex={item.key === imageKey ? 0 : -1}
          aria-current={item.key === imageKey ? "true" : undefined}
          aria-label={`${i + 1}: ${shortName(item.id)}, ${STATES[item.state]}`}
          title={shortName(item.id)}
          onClick={() => open(item.key)}
        >
          <Thumb imageKey={item.key} name="" heat={preferences.thumbMaps && !preferences.drawFirst} />
          <i class="frame-state" data-state={item.state} aria-hidden="true" />
        </button>
      ),
    );
  }
  return (
    <nav ref={strip} class="filmstrip" aria-label="Queue" onScroll={(event) => setBox({ left: event.currentTarget.scrollLeft, width: event.currentTarget.clientWidth })}>
      <div class="filmstrip-inside" style={{ width: `${total * STEP}px` }}>
        {frames}
      </div>
    </nav>
  );
}
