import type { Size } from "./box";
import type { Point } from "./shapes";

/** The connected parts of some cells: the part of each cell from 1, 0 for none; how large each is; a cell of each. */
export interface Parts extends Size {
  readonly of: Int32Array;
  readonly sizes: readonly number[];
  readonly firsts: readonly Point[];
}

/** Find the parts; cells that touch at a side are of one part. `firsts` are in shares of the width and the height. */
export function partsOf(size: Size, chosen: (cell: number) => boolean): Parts {
  const { width, height } = size;
  const of = new Int32Array(width * height);
  const sizes: number[] = [];
  const firsts: Point[] = [];
  for (let start = 0; start < of.length; start++) {
    if (of[start] !== 0 || !chosen(start)) continue;
    firsts.push({ x: ((start % width) + 0.5) / width, y: (Math.floor(start / width) + 0.5) / height });
    const part = firsts.length;
    let count = 0;
    const open = [start];
    of[start] = part;
    const visit = (cell: number, there: boolean) => {
      if (!there || of[cell] !== 0 || !chosen(cell)) return;
      of[cell] = part;
      open.push(cell);
    };
    while (open.length > 0) {
      const cell = open.pop()!;
      count++;
      const x = cell % width;
      visit(cell - 1, x > 0);
      visit(cell + 1, x < width - 1);
      visit(cell - width, cell >= width);
      visit(cell + width, cell < of.length - width);
    }
    sizes.push(count);
  }
  return { width, height, of, sizes, firsts };
}

/** The part at a point, in shares of the width and the height; 0 for none. */
export function partAt(parts: Parts, { x, y }: Point): number {
  if (!(x >= 0 && y >= 0 && x < 1 && y < 1)) return 0;
  return parts.of[Math.floor(y * parts.height) * parts.width + Math.floor(x * parts.width)]!;
}

/** The parts that were clicked an odd number of times. */
export function removedParts(parts: Parts, clicks: readonly Point[]): ReadonlySet<number> {
  const removed = new Set<number>();
  for (const click of clicks) {
    const part = partAt(parts, click);
    if (part > 0 && !removed.delete(part)) removed.add(part);
  }
  return removed;
}
