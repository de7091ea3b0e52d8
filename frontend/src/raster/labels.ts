import { clipTo, union, type Box, type Size } from "./box";
import type { Shape } from "./shapes";

/** A label for each cell, row by row, on a grid that may be coarser than the picture. */
export interface Labels extends Size {
  readonly values: Uint16Array;
}

const HEADER = 12;

/** Read `VSL1`, width, height (uint32), labels (uint16), all little-endian. Throws a RangeError for anything else. */
export function decodeLabels(bytes: Uint8Array): Labels {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER || String.fromCharCode(...bytes.subarray(0, 4)) !== "VSL1")
    throw new RangeError("these bytes are no labels");
  const [width, height] = [view.getUint32(4, true), view.getUint32(8, true)];
  if (bytes.length !== HEADER + 2 * width * height) throw new RangeError("these labels are not whole");
  return { width, height, values: Uint16Array.from({ length: width * height }, (_, i) => view.getUint16(HEADER + 2 * i, true)) };
}

/** The place in `values` of the cell that (x, y), in cells of `size`, lies in; null beyond the picture. */
export function placeAt(labels: Size, size: Size, x: number, y: number): number | null {
  if (!(x >= 0 && y >= 0 && x < size.width && y < size.height)) return null;
  return Math.floor((y * labels.height) / size.height) * labels.width + Math.floor((x * labels.width) / size.width);
}

/** The cells of the grid with a label. */
export function boxOf(labels: Labels, label: number): Box {
  let box: Box = { left: 0, top: 0, right: 0, bottom: 0 };
  labels.values.forEach((value, i) => {
    if (value !== label) return;
    const [x, y] = [i % labels.width, Math.floor(i / labels.width)];
    box = union(box, { left: x, top: y, right: x + 1, bottom: y + 1 });
  });
  return box;
}

/** Some cells of a coarse grid on the grid of the picture, with edges that are smooth there; only within `part`. */
export function cellsShape(grid: Size, chosen: (place: number) => boolean, size: Size, part: Box): Shape {
  const [across, down] = [grid.width / size.width, grid.height / size.height];
  const clamp = (value: number, count: number) => Math.min(count - 1, Math.max(0, value));
  const one = (x: number, y: number) => (chosen(clamp(y, grid.height) * grid.width + clamp(x, grid.width)) ? 1 : 0);
  return {
    box: clipTo(size.width, size.height, (part.left - 1) / across, (part.top - 1) / down, (part.right + 1) / across, (part.bottom + 1) / down),
    coverageAt: (x, y) => {
      const [u, v] = [(x + 0.5) * across - 0.5, (y + 0.5) * down - 0.5];
      const [left, top] = [Math.floor(u), Math.floor(v)];
      const [s, t] = [u - left, v - top];
      const above = one(left, top) * (1 - s) + one(left + 1, top) * s;
      const below = one(left, top + 1) * (1 - s) + one(left + 1, top + 1) * s;
      return above * (1 - t) + below * t >= 0.5 ? 255 : 0;
    },
  };
}

/** The border of the chosen cells as an SVG path in cells: each straight piece of it once. */
export function outlinePath(grid: Size, chosen: (place: number) => boolean): string {
  const { width, height } = grid;
  const at = (x: number, y: number) => x >= 0 && y >= 0 && x < width && y < height && chosen(y * width + x);
  const pieces: string[] = [];
  const runs = (lines: number, along: number, differs: (line: number, i: number) => boolean, piece: (line: number, from: number, to: number) => string) => {
    for (let line = 0; line <= lines; line++)
      for (let i = 0; i < along; i++) {
        if (!differs(line, i)) continue;
        const from = i;
        while (i < along && differs(line, i)) i++;
        pieces.push(piece(line, from, i));
      }
  };
  runs(height, width, (y, x) => at(x, y - 1) !== at(x, y), (y, from, to) => `M${from} ${y}H${to}`);
  runs(width, height, (x, y) => at(x - 1, y) !== at(x, y), (x, from, to) => `M${x} ${from}V${to}`);
  return pieces.join("");
}
