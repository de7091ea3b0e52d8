import { resizeMap, type AttentionMap } from "../heat/attention_map";
import type { Shape } from "./shapes";
import { wholeBox } from "./mask";

/** The cells where the map is at least `threshold`, or with `invert` below it. */
export function mapShape(
  map: AttentionMap,
  size: { width: number; height: number },
  threshold: number,
  invert: boolean,
): Shape {
  const values = resizeMap(map, size.width, size.height);
  return {
    box: wholeBox(size),
    coverageAt: (x, y) => (values[y * size.width + x]! >= threshold !== invert ? 255 : 0),
  };
}
