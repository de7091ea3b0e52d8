import { useEffect, useRef } from "preact/hooks";
import type { AttentionMap } from "../../heat/attention_map";
import { resizeMap } from "../../heat/attention_map";
import type { Ink } from "../../tools/settings";
import type { Stage } from "../../view/stage";

export interface FromMap {
  readonly threshold: number;
  readonly invert: boolean;
}

interface Props {
  readonly map: AttentionMap | null;
  readonly stage: Stage;
  readonly value: FromMap;
  readonly ink: Ink;
  readonly change: (value: FromMap) => void;
  readonly apply: () => void;
  readonly close: () => void;
}

const PREVIEW_SIDE = 160;

/** Choose by a threshold which part of the model's map to start from; the picture shows it before it is drawn. */
export function FromMapPanel({ map, stage, value, ink, change, apply, close }: Props) {
  const { threshold, invert } = value;
  useEffect(() => {
    stage.showPreview(map === null ? null : previewOf(map, value));
    return () => stage.showPreview(null);
  }, [map, threshold, invert]);
  const slider = useRef<HTMLInputElement>(null);
  useEffect(() => slider.current?.focus(), [map === null]);
  const kind = ink === "irrelevant" ? "irrelevant" : "relevant";
  return (
    <section class="float" aria-label="Start from the model's map">
      <h2>Start from the model's map</h2>
      {map === null || map.dead ? (
        <p class="quiet">{map === null ? "There is no map of this image." : "The map of this image is zero everywhere."}</p>
      ) : (
        <>
          <label class="slider">
            <span>
              Threshold <output>{Math.round(threshold * 100)} %</output>
            </span>
            <input
              ref={slider}
              type="range"
              min="0"
              max="1"
              step="0.01"
              aria-label="Threshold"
              value={threshold}
              onInput={(event) => change({ threshold: Number(event.currentTarget.value), invert })}
            />
          </label>
          <label class="check">
            <input type="checkbox" checked={invert} onChange={(event) => change({ threshold, invert: event.currentTarget.checked })} />
            Where the map is below it
          </label>
        </>
      )}
      <div class="float-buttons">
        <button class="button" onClick={close}>
          Cancel <kbd>Esc</kbd>
        </button>
        <button class="button is-main" data-ink={kind} onClick={apply} disabled={map === null || map.dead}>
          Draw as {kind} <kbd>Enter</kbd>
        </button>
      </div>
    </section>
  );
}

function previewOf(map: AttentionMap, { threshold, invert }: FromMap): HTMLCanvasElement {
  const scale = PREVIEW_SIDE / Math.max(map.width, map.height);
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(map.width * scale));
  canvas.height = Math.max(1, Math.round(map.height * scale));
  const context = canvas.getContext("2d")!;
  const pixels = context.createImageData(canvas.width, canvas.height);
  const values = resizeMap(map, canvas.width, canvas.height);
  values.forEach((v, i) => pixels.data.set(v >= threshold !== invert ? [255, 255, 255, 150] : [0, 0, 0, 90], 4 * i));
  context.putImageData(pixels, 0, 0);
  return canvas;
}
