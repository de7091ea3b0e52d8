import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Item } from "../../api/messages";
import type { ImageList } from "../../lists/image_list";
import { Thumb } from "../Thumb";
import { percent, shortName, STATES } from "../wording";
import { useWorkplace } from "../workplace";
import { gridOf, movedBy, rowsInSight } from "./grid_layout";

interface Props {
  readonly list: ImageList;
  readonly chosen: number;
  readonly choose: (place: number) => void;
  readonly open: (key: number | undefined) => void;
}

/** As in the style of `.grid`. */
const PADDING = 14;

/** Thumbs of all images; only those in sight are in the page. */
export function ImageGrid({ list, chosen, choose, open }: Props) {
  const { preferences } = useWorkplace();
  const scroller = useRef<HTMLDivElement>(null);
  const [box, setBox] = useState({ width: 0, height: 0, top: 0 });
  const total = list.total ?? 24;
  const grid = gridOf(box.width, total);
  const rows = rowsInSight(grid, box.top, box.height);
  const [from, to] = [rows.first * grid.columns, Math.min(total, rows.last * grid.columns)];
  useLayoutEffect(() => {
    const element = scroller.current!;
    const measure = () => setBox({ width: element.clientWidth - 2 * PADDING, height: element.clientHeight, top: element.scrollTop });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (box.width > 0) void list.ensure(from, to);
  }, [list, from, to]);
  useEffect(() => {
    scroller.current!.scrollTop = 0;
  }, [list]);
  useEffect(() => {
    const element = scroller.current!;
    if (box.width === 0) return;
    const top = Math.floor(chosen / grid.columns) * grid.rowHeight;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + grid.rowHeight > element.scrollTop + element.clientHeight)
      element.scrollTop = top + grid.rowHeight - element.clientHeight + grid.gap;
  }, [chosen, list, grid.columns, box.width > 0]);
  // Keys may come faster than the grid is shown again.
  const latest = useRef(chosen);
  latest.current = chosen;
  const onKey = (event: KeyboardEvent) => {
    if (event.target instanceof HTMLElement && event.target.closest("aside, header, [role=dialog]") !== null) return;
    if (event.key === "Enter") {
      event.preventDefault();
      open(list.at(latest.current)?.key);
      return;
    }
    const moved = movedBy(event.key, latest.current, total, grid.columns, Math.max(1, Math.floor(box.height / grid.rowHeight)));
    if (moved === null || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    latest.current = moved;
    choose(moved);
  };
  useEffect(() => {
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  });
  const cells = [];
  for (let place = from; place < to; place++) {
    const style = {
      width: `${grid.cellWidth}px`,
      height: `${grid.rowHeight - grid.gap}px`,
      transform: `translate(${(place % grid.columns) * (grid.cellWidth + grid.gap)}px, ${Math.floor(place / grid.columns) * grid.rowHeight}px)`,
    };
    const item = list.at(place);
    cells.push(
      item === undefined ? (
        <div key={`empty ${place}`} class="card is-empty" style={style}>
          <span class="thumb skeleton" />
        </div>
      ) : (
        <button
          key={item.key}
          class="card"
          style={style}
          role="option"
          id={`card-${place}`}
          tabIndex={-1}
          aria-selected={place === chosen}
          onClick={() => {
            choose(place);
            open(item.key);
          }}
        >
          <Thumb imageKey={item.key} name={shortName(item.id)} heat={preferences.thumbMaps} />
          <Caption item={item} />
        </button>
      ),
    );
  }
  return (
    <div
      ref={scroller}
      class="grid"
      role="listbox"
      aria-label="Images"
      tabIndex={0}
      aria-activedescendant={`card-${chosen}`}
      aria-busy={list.total === null}
      onScroll={(event) => setBox({ ...box, top: event.currentTarget.scrollTop })}
    >
      <div class="grid-inside" style={{ height: `${grid.height}px` }}>
        {cells}
      </div>
    </div>
  );
}

function Caption({ item }: { item: Item }) {
  return (
    <span class="caption">
      <span class="caption-line">
        <span class="caption-class">{item.class}</span>
        {item.predicted !== null && (
          <span class={`verdict ${item.right === true ? "is-right" : "is-wrong"}`}>
            <span title={`Predicted ${item.predicted}`}>
              <span class="unseen">predicted {item.right === true ? "right" : ""}</span>
              {item.right === true ? "✓" : `✗ ${item.predicted}`}
            </span>
          </span>
        )}
      </span>
      <span class="caption-line is-small">
        <span class="tag" data-state={item.state}>
          <i aria-hidden="true" />
          {STATES[item.state]}
        </span>
        <span class="figures">
          {item.confidence !== null && <span title="Confidence of the prediction">{percent(item.confidence)}</span>}
          {item.misalignment !== null && (
            <span class="meter" title={`Misalignment ${percent(item.misalignment)}`}>
              <i style={{ width: `${100 * item.misalignment}%` }} />
            </span>
          )}
        </span>
      </span>
    </span>
  );
}
