import { NOTHING, type Box } from "./box";
import type { SavedTiles } from "./tiles";

/** Undo and redo of whole strokes on one image. Past `limit` bytes the oldest strokes can no longer be undone. */
export class UndoStack {
  private readonly done: SavedTiles[] = [];
  private undone: SavedTiles[] = [];

  constructor(private readonly limit = 192 * 2 ** 20) {}

  /** Note a finished stroke by the tiles as they were before it. */
  push(before: SavedTiles): void {
    this.undone = [];
    this.done.push(before);
    let bytes = this.done.reduce((sum, tiles) => sum + tiles.bytes, 0);
    while (bytes > this.limit && this.done.length > 1) bytes -= this.done.shift()!.bytes;
  }

  undo(): Box {
    return swap(this.done, this.undone);
  }

  redo(): Box {
    return swap(this.undone, this.done);
  }

  get canUndo(): boolean {
    return this.done.length > 0;
  }

  get canRedo(): boolean {
    return this.undone.length > 0;
  }
}

function swap(from: SavedTiles[], to: SavedTiles[]): Box {
  const tiles = from.pop();
  if (tiles === undefined) return NOTHING;
  to.push(tiles.current());
  return tiles.restore();
}
