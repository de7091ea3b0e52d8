import { useEffect, useMemo, useRef } from "preact/hooks";
import type { AttentionMap } from "../../heat/attention_map";
import { mapParts, type FromMap } from "../../raster/from_map";
import { removedParts, type Parts } from "../../raster/parts";
import type { Ink } from "../../tools/settings";
import type { Stage } from "../../view/stage";
import { sizeWithin } from "../../view/viewport";

interface Props {
  readonly map: AttentionMap | null;
  readonly stage: Stage;
  readonly value: FromMap;
  readonly ink: Ink;
  readonly change: (value: FromMap) => void;
  readonly apply: () => void;
  readonly close: () => void;
}

export const PREVIEW_SIDE = 160;
const MOST_PARTS = 5;

/** Choose by a threshold which part of the model's map to start from; the picture shows it before it is drawn. */
export function FromMapPanel({ map, stage, value, ink, change, apply, close }: Props) {
  const { threshold, invert, clicks } = value;
  const parts = useMemo(
    () => (map === null || map.dead ? null : mapParts(map, sizeWithin(map, PREVIEW_SIDE), value)),
    [map, threshold, invert],
  );
  const removed = parts === null ? new Set<number>() : removedParts(parts, clicks);
  const largest = parts === null ? [] : parts.sizes.map((size, i) => ({ size, part: i + 1 })).sort((a, b) => b.size - a.size);
  useEffect(() => {
    stage.showPreview(parts === null ? null : previewOf(parts, removed));
    return () => stage.showPreview(null);
  }, [parts, clicks]);
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
              onInput={(event) => change({ ...value, threshold: Number(event.currentTarget.value) })}
            />
          </label>
          <label class="check">
            <input type="checkbox" checked={invert} onChange={(event) => change({ ...value, invert: event.currentTarget.checked })} />
            Where the map is below it
          </label>
          {largest.length > 1 && (
            <fieldset class="parts">
              <legend>
                {largest.length - removed.size} of {largest.length} parts kept. Click one in the picture to leave it out.
              </legend>
              {largest.slice(0, MOST_PARTS).map(({ size, part }, i) => (
                <label key={part} class="check">
                  <input
                    type="checkbox"
                    checked={!removed.has(part)}
                    onChange={() => change({ ...value, clicks: [...clicks, parts!.firsts[part - 1]!] })}
                  />
                  Part {i + 1}: {((100 * size) / parts!.of.length).toFixed(1)} %
                </label>
              ))}
            </fieldset>
          )}
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

/** White where it is kept, dark elsewhere; a part that is left out has a white border. */
function previewOf(parts: Parts, removed: ReadonlySet<number>): HTMLCanvasElement {
  const { width, height, of } = parts;
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d")!;
  const pixels = context.createImageData(width, height);
  of.forEach((part, i) => {
    const kept = part > 0 && !removed.has(part);
    const border = part > 0 && [i - 1, i + 1, i - width, i + width].some((other) => of[other] !== part);
    pixels.data.set(kept ? [255, 255, 255, 150] : border ? [255, 255, 255, 200] : [0, 0, 0, 90], 4 * i);
  });
  context.putImageData(pixels, 0, 0);
  return canvas;
}
