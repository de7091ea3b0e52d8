import type { Box } from "./box";
import type { Mask } from "./mask";

interface Patch {
  box: Box;
  before: Cells;
  after: Cells;
}

interface Cells {
  target: Uint16Array;
  weight: Uint8Array;
}

const LIMIT_BYTES = 256 * 1024 * 1024;

/** Undo and redo of one image, a stroke at a time. It keeps only the touched boxes. */
export class History {
  private readonly done: Patch[] = [];
  private readonly undone: Patch[] = [];
  private bytes = 0;

  get canUndo(): boolean {
    return this.done.length > 0;
  }

  get canRedo(): boolean {
    return this.undone.length > 0;
  }

  /** Remember that a stroke changed `box`; `before` is the whole raster as it was. */
  record(mask: Mask, before: Mask, box: Box): void {
    const patch = { box, before: copyCells(before, box), after: copyCells(mask, box) };
    this.undone.length = 0;
    this.done.push(patch);
    this.bytes += bytesOf(patch);
    while (this.bytes > LIMIT_BYTES && this.done.length > 1) this.bytes -= bytesOf(this.done.shift()!);
  }

  /** Take the last stroke back; gives the changed box, or null when there is none. */
  undo(mask: Mask): Box | null {
    const patch = this.done.pop();
    if (!patch) return null;
    pasteCells(mask, patch.box, patch.before);
    this.undone.push(patch);
    this.bytes -= bytesOf(patch);
    return patch.box;
  }

  /** Do the stroke again that was taken back last. */
  redo(mask: Mask): Box | null {
    const patch = this.undone.pop();
    if (!patch) return null;
    pasteCells(mask, patch.box, patch.after);
    this.done.push(patch);
    this.bytes += bytesOf(patch);
    return patch.box;
  }
}

/** The cells of `box`, row by row. */
function copyCells(mask: Mask, box: Box): Cells {
  const wide = box.x1 - box.x0;
  const target = new Uint16Array(wide * (box.y1 - box.y0));
  const weight = new Uint8Array(target.length);
  for (let y = box.y0; y < box.y1; y++) {
    const from = y * mask.width + box.x0;
    target.set(mask.target.subarray(from, from + wide), (y - box.y0) * wide);
    weight.set(mask.weight.subarray(from, from + wide), (y - box.y0) * wide);
  }
  return { target, weight };
}

function pasteCells(mask: Mask, box: Box, cells: Cells): void {
  const wide = box.x1 - box.x0;
  for (let y = box.y0; y < box.y1; y++) {
    const from = (y - box.y0) * wide;
    mask.target.set(cells.target.subarray(from, from + wide), y * mask.width + box.x0);
    mask.weight.set(cells.weight.subarray(from, from + wide), y * mask.width + box.x0);
  }
}

function bytesOf(patch: Patch): number {
  return 6 * patch.before.weight.length;
}
