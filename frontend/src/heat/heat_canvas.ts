import { resizeMap, type AttentionMap } from "./attention_map";
import { colourTable, type ColourMapName } from "./colour_maps";

/** At this value and above the colour covers fully; below, the picture shows through more and more. */
const FULL_COVER = 0.6;
const LEAST_COVER = 0.25;

/** Paint a map in colour into a small canvas that is then drawn over the picture at any size. */
export function paintHeat(map: AttentionMap, name: ColourMapName, longest: number): HTMLCanvasElement {
  const scale = longest / Math.max(map.width, map.height);
  const width = Math.max(1, Math.round(map.width * scale));
  const height = Math.max(1, Math.round(map.height * scale));
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d")!;
  const pixels = context.createImageData(width, height);
  pixels.data.set(heatPixels(resizeMap(map, width, height), name));
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** RGBA of each value. */
export function heatPixels(values: Float32Array, name: ColourMapName): Uint8ClampedArray {
  const table = colourTable(name);
  const pixels = new Uint8ClampedArray(4 * values.length);
  for (let i = 0; i < values.length; i++) {
    const value = Math.min(1, Math.max(0, values[i]!));
    const colour = 3 * Math.round(value * 255);
    pixels[4 * i] = table[colour]!;
    pixels[4 * i + 1] = table[colour + 1]!;
    pixels[4 * i + 2] = table[colour + 2]!;
    pixels[4 * i + 3] = Math.round(255 * Math.min(1, LEAST_COVER + (1 - LEAST_COVER) * (value / FULL_COVER)));
  }
  return pixels;
}
