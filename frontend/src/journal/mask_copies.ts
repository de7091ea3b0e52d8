import type { Box } from "../raster/box";
import { emptyMask, putCells, type Cells, type Mask } from "../raster/mask";

/** What the packing worker is told: what changed in one drawing since it was last told, or that the drawing is closed. */
export type PackingOrder =
  | {
      readonly drawing: number;
      readonly ticket: number;
      readonly width: number;
      readonly height: number;
      readonly changes: readonly { readonly box: Box; readonly cells: Cells }[];
    }
  | { readonly drawing: number; readonly close: true };

/** `packed` is null where the worker could not. */
export interface PackingAnswer {
  readonly ticket: number;
  readonly packed: Uint8Array<ArrayBuffer> | null;
}

/** The worker's side: copies of the drawings, brought up to date by each order. */
export class MaskCopies {
  private readonly masks = new Map<number, Mask>();

  /** The drawing as it was when the order was given; null when it is closed. */
  follow(order: PackingOrder): Mask | null {
    if ("close" in order) {
      this.masks.delete(order.drawing);
      return null;
    }
    const mask = this.masks.get(order.drawing) ?? emptyMask(order.width, order.height);
    this.masks.set(order.drawing, mask);
    for (const { box, cells } of order.changes) putCells(mask, box, cells);
    return mask;
  }
}
