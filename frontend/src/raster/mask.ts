import type { Box } from "./box";

export const FULL_TARGET = 65535;
export const FULL_WEIGHT = 255;

/**
 * What is drawn on one image, cell by cell, row by row.
 *
 * Weight 0: unknown. Weight above 0: with target 0 irrelevant, with target above 0 relevant, as much as the target says.
 */
export interface Mask {
  readonly width: number;
  readonly height: number;
  readonly target: Uint16Array;
  readonly weight: Uint8Array;
}

/** The cells of a box, row by row. */
export interface Cells {
  readonly target: Uint16Array<ArrayBuffer>;
  readonly weight: Uint8Array<ArrayBuffer>;
}

export type CellKind = "unknown" | "relevant" | "irrelevant";

export function emptyMask(width: number, height: number): Mask {
  return { width, height, target: new Uint16Array(width * height), weight: new Uint8Array(width * height) };
}

export function copyMask(mask: Mask): Mask {
  return { ...mask, target: mask.target.slice(), weight: mask.weight.slice() };
}

/** Take over every cell of `source`, which has the same size. */
export function overwrite(mask: Mask, source: Mask): void {
  mask.target.set(source.target);
  mask.weight.set(source.weight);
}

/** A copy of the cells of `box`. */
export function cellsOf(mask: Mask, box: Box): Cells {
  const width = box.right - box.left;
  const count = width * (box.bottom - box.top);
  const cells = { target: new Uint16Array(count), weight: new Uint8Array(count) };
  for (let y = box.top; y < box.bottom; y++) {
    const from = y * mask.width + box.left;
    cells.target.set(mask.target.subarray(from, from + width), (y - box.top) * width);
    cells.weight.set(mask.weight.subarray(from, from + width), (y - box.top) * width);
  }
  return cells;
}

/** Undo `cellsOf`. */
export function putCells(mask: Mask, box: Box, cells: Cells): void {
  const width = box.right - box.left;
  for (let y = box.top; y < box.bottom; y++) {
    const from = (y - box.top) * width;
    const to = y * mask.width + box.left;
    mask.target.set(cells.target.subarray(from, from + width), to);
    mask.weight.set(cells.weight.subarray(from, from + width), to);
  }
}

export function isBlank(mask: Mask): boolean {
  for (let cell = 0; cell < mask.weight.length; cell++) if (mask.weight[cell] !== 0) return false;
  return true;
}

export function wholeBox(mask: { width: number; height: number }): Box {
  return { left: 0, top: 0, right: mask.width, bottom: mask.height };
}

export function kindAt(mask: Mask, cell: number): CellKind {
  if (mask.weight[cell] === 0) return "unknown";
  return mask.target[cell] === 0 ? "irrelevant" : "relevant";
}

/** How many cells of each kind there are. */
export function countKinds(mask: Mask): Record<CellKind, number> {
  const counts = { unknown: 0, relevant: 0, irrelevant: 0 };
  for (let i = 0; i < mask.weight.length; i++) counts[kindAt(mask, i)]++;
  return counts;
}

/** The mask on another grid: each new cell takes the old cell under its centre, so kinds never mix. */
export function resampleMask(mask: Mask, width: number, height: number): Mask {
  if (mask.width === width && mask.height === height) return mask;
  const result = emptyMask(width, height);
  const columns = Int32Array.from({ length: width }, (_, x) => Math.floor(((x + 0.5) * mask.width) / width));
  for (let y = 0; y < height; y++) {
    const row = Math.floor(((y + 0.5) * mask.height) / height) * mask.width;
    for (let x = 0; x < width; x++) {
      const from = row + columns[x]!;
      result.target[y * width + x] = mask.target[from]!;
      result.weight[y * width + x] = mask.weight[from]!;
    }
  }
  return result;
}
