import { NOTHING, union, type Box } from "./box";
import type { Mask } from "./mask";

export const TILE = 64;

interface Cells {
  readonly target: Uint16Array;
  readonly weight: Uint8Array;
}

/** Copies of the tiles that one change touched, as they were before it. */
export class SavedTiles {
  private readonly cells = new Map<number, Cells>();

  constructor(private readonly mask: Mask) {}

  /** Copy the tiles of `box` that are not copied yet. Call it before the cells change. */
  save(box: Box): void {
    const across = Math.ceil(this.mask.width / TILE);
    for (let row = Math.floor(box.top / TILE); row * TILE < box.bottom; row++)
      for (let column = Math.floor(box.left / TILE); column * TILE < box.right; column++) {
        const tile = row * across + column;
        if (!this.cells.has(tile)) this.cells.set(tile, this.read(tile));
      }
  }

  /** The tile that holds the cell (x, y), and the place of the cell in it. The tile must be saved. */
  tileAt(x: number, y: number): Cells {
    return this.cells.get(Math.floor(y / TILE) * Math.ceil(this.mask.width / TILE) + Math.floor(x / TILE))!;
  }

  /** The same tiles as they are now. */
  current(): SavedTiles {
    const now = new SavedTiles(this.mask);
    for (const tile of this.cells.keys()) now.cells.set(tile, now.read(tile));
    return now;
  }

  /** Put all copies back. Gives the box that changed. */
  restore(): Box {
    let touched = NOTHING;
    for (const [tile, cells] of this.cells) {
      const box = this.boxOf(tile);
      const width = box.right - box.left;
      for (let y = box.top; y < box.bottom; y++) {
        const from = (y - box.top) * width;
        const to = y * this.mask.width + box.left;
        this.mask.target.set(cells.target.subarray(from, from + width), to);
        this.mask.weight.set(cells.weight.subarray(from, from + width), to);
      }
      touched = union(touched, box);
    }
    return touched;
  }

  get bytes(): number {
    return this.cells.size * TILE * TILE * 3;
  }

  private boxOf(tile: number): Box {
    const across = Math.ceil(this.mask.width / TILE);
    const left = (tile % across) * TILE;
    const top = Math.floor(tile / across) * TILE;
    return {
      left,
      top,
      right: Math.min(this.mask.width, left + TILE),
      bottom: Math.min(this.mask.height, top + TILE),
    };
  }

  private read(tile: number): Cells {
    const box = this.boxOf(tile);
    const width = box.right - box.left;
    const cells = {
      target: new Uint16Array(width * (box.bottom - box.top)),
      weight: new Uint8Array(width * (box.bottom - box.top)),
    };
    for (let y = box.top; y < box.bottom; y++) {
      const from = y * this.mask.width + box.left;
      cells.target.set(this.mask.target.subarray(from, from + width), (y - box.top) * width);
      cells.weight.set(this.mask.weight.subarray(from, from + width), (y - box.top) * width);
    }
    return cells;
  }
}
