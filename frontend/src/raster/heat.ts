/** A map as the server gives it: row by row, 0 to 1. */
export interface HeatMap {
  width: number;
  height: number;
  values: Float32Array;
}

/** The map at a point given as shares of the picture (0 to 1), between the middles of its cells. */
export function heatAt(map: HeatMap, u: number, v: number): number {
  const x = Math.min(map.width - 1, Math.max(0, u * map.width - 0.5));
  const y = Math.min(map.height - 1, Math.max(0, v * map.height - 0.5));
  const x0 = Math.floor(x);
  const y0 = Math.floor(y);
  const x1 = Math.min(x0 + 1, map.width - 1);
  const y1 = Math.min(y0 + 1, map.height - 1);
  const fx = x - x0;
  const fy = y - y0;
  const row = (at: number) => map.values[at * map.width + x0] * (1 - fx) + map.values[at * map.width + x1] * fx;
  return row(y0) * (1 - fy) + row(y1) * fy;
}

/** Whether each cell of a `width` x `height` raster lies where the map is at least `threshold`. */
export function hotCells(map: HeatMap, width: number, height: number, threshold: number): Uint8Array {
  const hot = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      hot[y * width + x] = heatAt(map, (x + 0.5) / width, (y + 0.5) / height) >= threshold ? 1 : 0;
    }
  }
  return hot;
}

/** The map on a raster of `width` x `height` as RGBA pixels: colours from `colours`, clearer where it is low. */
export function heatPixels(
  map: HeatMap,
  width: number,
  height: number,
  colours: Uint8Array,
): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(4 * width * height);
  for (let y = 0, out = 0; y < height; y++) {
    for (let x = 0; x < width; x++, out += 4) {
      const value = heatAt(map, (x + 0.5) / width, (y + 0.5) / height);
      const step = 3 * Math.round(255 * Math.min(1, Math.max(0, value)));
      pixels[out] = colours[step];
      pixels[out + 1] = colours[step + 1];
      pixels[out + 2] = colours[step + 2];
      pixels[out + 3] = 255 * Math.min(1, value * 1.6);
    }
  }
  return pixels;
}
