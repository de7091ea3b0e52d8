import { NOTHING, union, type Box, type Size } from "./box";
import { cellsOf, putCells, type Cells, type Mask } from "./mask";

export const TILE = 64;

/** The numbers of the tiles that `box` touches, of `side` cells on each side. */
export function tilesOf(size: Size, box: Box, side = TILE): number[] {
  const across = Math.ceil(size.width / side);
  const tiles: number[] = [];
  for (let row = Math.floor(box.top / side); row * side < box.bottom; row++)
    for (let column = Math.floor(box.left / side); column * side < box.right; column++) tiles.push(row * across + column);
  return tiles;
}

function boxOfTile(size: Size, tile: number): Box {
  const across = Math.ceil(size.width / TILE);
  const left = (tile % across) * TILE;
  const top = Math.floor(tile / across) * TILE;
  return { left, top, right: Math.min(size.width, left + TILE), bottom: Math.min(size.height, top + TILE) };
}

/** The tiles that changed since they were last asked for. */
export class ChangedTiles {
  private readonly tiles = new Set<number>();

  constructor(private readonly size: Size) {}

  add(box: Box): void {
    for (const tile of tilesOf(this.size, box)) this.tiles.add(tile);
  }

  take(): Box[] {
    const boxes = [...this.tiles].map((tile) => boxOfTile(this.size, tile));
    this.tiles.clear();
    return boxes;
  }
}

/** Copies of the tiles that one change touched, as they were before it. */
export class SavedTiles {
  private readonly cells = new Map<number, Cells>();

  constructor(private readonly mask: Mask) {}

  /** Copy the tiles of `box` that are not copied yet. Call it before the cells change. */
  save(box: Box): void {
    for (const tile of tilesOf(this.mask, box)) if (!this.cells.has(tile)) this.cells.set(tile, this.read(tile));
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
      const box = boxOfTile(this.mask, tile);
      putCells(this.mask, box, cells);
      touched = union(touched, box);
    }
    return touched;
  }

  get bytes(): number {
    return this.cells.size * TILE * TILE * 3;
  }

  private read(tile: number): Cells {
    return cellsOf(this.mask, boxOfTile(this.mask, tile));
  }
}
