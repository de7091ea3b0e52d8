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
