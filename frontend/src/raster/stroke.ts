import { clipTo, isEmpty, NOTHING, union, type Box } from "./box";
import type { Mask } from "./mask";
import { paintCell, type Paint } from "./paint";
import { SavedTiles, TILE } from "./tiles";

const FULL = 255;

/** A round brush: radius in cells, and how much of the radius is a soft edge (0: none, 1: all). */
export interface Brush {
  readonly radius: number;
  readonly softness: number;
}

/**
 * One stroke in progress. Passing over a cell twice is as passing once: each cell is painted by the highest coverage
 * that the stroke gave it, from what the cell was before the stroke.
 */
export class Stroke {
  readonly before: SavedTiles;
  touched: Box = NOTHING;
  private readonly coverage = new Map<number, Uint8Array>();
  private last: { x: number; y: number } | null = null;

  constructor(
    private readonly mask: Mask,
    private readonly paint: Paint,
    private readonly changed: (box: Box) => void = () => undefined,
  ) {
    this.before = new SavedTiles(mask);
  }

  /** Move the brush to (x, y), in cells, drawing a line from where it was. Gives the box that changed. */
  moveTo(x: number, y: number, brush: Brush): Box {
    const from = this.last ?? { x, y };
    this.last = { x, y };
    const radius = Math.max(0.5, brush.radius);
    const box = clipTo(
      this.mask.width,
      this.mask.height,
      Math.min(from.x, x) - radius,
      Math.min(from.y, y) - radius,
      Math.max(from.x, x) + radius,
      Math.max(from.y, y) + radius,
    );
    const outer = outerEdge(radius, brush.softness) ** 2;
    return this.lay(box, (cellX, cellY) => {
      const squared = squaredDistanceToLine(cellX + 0.5, cellY + 0.5, from.x, from.y, x, y);
      return squared >= outer ? 0 : brushCoverage(Math.sqrt(squared), radius, brush.softness);
    });
  }

  /** Paint every cell of `box` by `coverageAt(x, y)`, 0 to 255. Gives the box that changed. */
  lay(box: Box, coverageAt: (x: number, y: number) => number): Box {
    if (isEmpty(box)) return NOTHING;
    this.before.save(box);
    this.touched = union(this.touched, box);
    const { mask } = this;
    const across = Math.ceil(mask.width / TILE);
    for (let top = Math.floor(box.top / TILE) * TILE; top < box.bottom; top += TILE)
      for (let left = Math.floor(box.left / TILE) * TILE; left < box.right; left += TILE) {
        const old = this.before.tileAt(left, top);
        const covered = this.coverageOf((top / TILE) * across + left / TILE);
        const tileWidth = Math.min(TILE, mask.width - left);
        const right = Math.min(box.right, left + TILE);
        const bottom = Math.min(box.bottom, top + TILE);
        for (let y = Math.max(box.top, top); y < bottom; y++)
          for (let x = Math.max(box.left, left); x < right; x++) {
            const inCoverage = (y - top) * TILE + x - left;
            if (covered[inCoverage] === FULL) continue;
            const wanted = coverageAt(x, y);
            if (wanted <= covered[inCoverage]!) continue;
            covered[inCoverage] = wanted;
            const inTile = (y - top) * tileWidth + x - left;
            const cell = paintCell(this.paint, wanted, old.target[inTile]!, old.weight[inTile]!);
            mask.target[y * mask.width + x] = cell >> 8;
            mask.weight[y * mask.width + x] = cell & 255;
          }
      }
    this.changed(box);
    return box;
  }

  /** Take the stroke back as if it had not begun. */
  cancel(): Box {
    const box = this.before.restore();
    this.changed(box);
    return box;
  }

  private coverageOf(tile: number): Uint8Array {
    let covered = this.coverage.get(tile);
    if (covered === undefined) {
      covered = new Uint8Array(TILE * TILE);
      this.coverage.set(tile, covered);
    }
    return covered;
  }
}

/** 0 to 255: full within the hard part, falling as a smooth step to 0 at the radius. The edge is never under a cell. */
export function brushCoverage(distance: number, radius: number, softness: number): number {
  const edge = Math.max(1, radius * softness);
  const outer = outerEdge(radius, softness);
  if (distance >= outer) return 0;
  const t = Math.min(1, (outer - distance) / edge);
  return Math.round(255 * t * t * (3 - 2 * t));
}

function outerEdge(radius: number, softness: number): number {
  return softness > 0 ? radius : radius + 0.5;
}

function squaredDistanceToLine(x: number, y: number, ax: number, ay: number, bx: number, by: number): number {
  const dx = bx - ax;
  const dy = by - ay;
  const length = dx * dx + dy * dy;
  const t = length === 0 ? 0 : Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / length));
  return (x - ax - t * dx) ** 2 + (y - ay - t * dy) ** 2;
}
