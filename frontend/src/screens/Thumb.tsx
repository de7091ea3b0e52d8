import { useEffect, useRef, useState } from "preact/hooks";
import { pictureAddress } from "../api/server";
import { paintHeat } from "../heat/heat_canvas";
import { useWorkplace } from "./workplace";

const HEAT_SIDE = 96;

/** A small picture with its heat map over it. The map is asked for when the thumb is on the screen. */
export function Thumb({ imageKey, name, heat }: { imageKey: number; name: string; heat: boolean }) {
  const { cache, run, preferences } = useWorkplace();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [loaded, setLoaded] = useState(false);
  const [failed, setFailed] = useState(false);
  const shown = heat && run !== null;
  useEffect(() => {
    if (!shown) return;
    const leaving = new AbortController();
    cache.mapInTurn(imageKey, run, leaving.signal).then(
      (map) => {
        const target = canvas.current;
        if (leaving.signal.aborted || target === null || map.dead) return;
        const painted = paintHeat(map, preferences.colourMap, HEAT_SIDE);
        target.width = painted.width;
        target.height = painted.height;
        target.getContext("2d")!.drawImage(painted, 0, 0);
        target.classList.add("is-shown");
      },
      () => undefined,
    );
    return () => leaving.abort();
  }, [imageKey, run, shown, preferences.colourMap]);
  return (
    <span class={`thumb${loaded || failed ? "" : " skeleton"}`}>
      <span class="thumb-fit">
        <img
          src={pictureAddress(imageKey, "thumb")}
          alt={name}
          draggable={false}
          class={loaded ? "is-shown" : ""}
          onLoad={() => setLoaded(true)}
          onError={() => setFailed(true)}
        />
        {shown && <canvas ref={canvas} class="thumb-heat" aria-hidden="true" />}
      </span>
      {failed && <span class="thumb-missing">no picture</span>}
    </span>
  );
}
