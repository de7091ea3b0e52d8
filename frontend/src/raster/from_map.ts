import { resizeMap, type AttentionMap } from "../heat/attention_map";
import { wholeBox } from "./mask";
import { partsOf, removedParts, type Parts } from "./parts";
import type { Point, Shape } from "./shapes";

/** What is taken of a map: where it is at least `threshold` (or below it), but for the parts that were clicked. */
export interface FromMap {
  readonly threshold: number;
  readonly invert: boolean;
  /** Shares of the width and the height, so that they mean the same at any size. */
  readonly clicks: readonly Point[];
}

/** The connected parts of the map at a size that pass the threshold. */
export function mapParts(map: AttentionMap, size: { width: number; height: number }, { threshold, invert }: FromMap): Parts {
  const values = resizeMap(map, size.width, size.height);
  return partsOf(size, (cell) => values[cell]! >= threshold !== invert);
}

/** The cells of the parts that are kept. */
export function mapShape(map: AttentionMap, size: { width: number; height: number }, wanted: FromMap): Shape {
  const parts = mapParts(map, size, wanted);
  const removed = removedParts(parts, wanted.clicks);
  return {
    box: wholeBox(size),
    coverageAt: (x, y) => {
      const part = parts.of[y * size.width + x]!;
      return part > 0 && !removed.has(part) ? 255 : 0;
    },
  };
}
