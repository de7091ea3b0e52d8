import { type Box, union } from "../raster/box";
import { History } from "../raster/history";
import { type HeatMap, hotCells } from "../raster/heat";
import {
  type Brush,
  fillBox,
  fillEllipse,
  fillPolygon,
  type Mark,
  Mask,
  paintStretch,
  type Point,
  setCell,
} from "../raster/mask";

export type Shape = "brush" | "box" | "ellipse" | "polygon";

/** What is being drawn on one image: the mask, its undo, and the stroke under way. */
export class Drawer {
  readonly history = new History();
  /** The mask as it was before the stroke under way. */
  private readonly before: Mask;
  private touched: Box | null = null;

  constructor(
    readonly mask: Mask,
    private readonly changed: (box: Box) => void,
  ) {
    this.before = new Mask(mask.width, mask.height, mask.target.slice(), mask.weight.slice());
  }

  get drawing(): boolean {
    return this.touched !== null;
  }

  /** Paint a stretch of the stroke under way. */
  stretch(from: Point, to: Point, brush: Brush): void {
    this.touch(paintStretch(this.mask, from.x, from.y, to.x, to.y, brush));
  }

  /** Fill a shape between two corners, or a polygon, as one stroke. Gives whether anything changed. */
  fill(shape: Shape, corners: readonly Point[], mark: Mark, strength: number): boolean {
    if (shape === "polygon") this.touch(fillPolygon(this.mask, corners, mark, strength));
    else if (shape === "ellipse") this.touch(fillEllipse(this.mask, corners[0], corners[1], mark, strength));
    else this.touch(fillBox(this.mask, corners[0], corners[1], mark, strength));
    return this.finish();
  }

  /** Set every cell where the map is at least `threshold` (below it, with `invert`) as one stroke. */
  fillFromMap(map: HeatMap, threshold: number, invert: boolean, mark: Mark, strength: number): boolean {
    const { width, height } = this.mask;
    const hot = hotCells(map, width, height, threshold);
    hot.forEach((inside, at) => {
      if (Boolean(inside) !== invert) setCell(this.mask, at, mark, strength, 1);
    });
    this.touch({ x0: 0, y0: 0, x1: width, y1: height });
    return this.finish();
  }

  /** Take over a whole mask of the same size as one stroke. */
  replace(mask: Mask): boolean {
    this.mask.target.set(mask.target);
    this.mask.weight.set(mask.weight);
    this.touch({ x0: 0, y0: 0, x1: mask.width, y1: mask.height });
    return this.finish();
  }

  /** End the stroke under way; gives whether there was one. */
  finish(): boolean {
    const box = this.touched;
    if (!box) return false;
    this.touched = null;
    this.history.record(this.mask, this.before, box);
    this.catchUp(box);
    return true;
  }

  undo(): boolean {
    return this.step(this.history.undo(this.mask));
  }

  redo(): boolean {
    return this.step(this.history.redo(this.mask));
  }

  private step(box: Box | null): boolean {
    if (!box) return false;
    this.catchUp(box);
    this.changed(box);
    return true;
  }

  private touch(box: Box | null): void {
    if (!box) return;
    this.touched = union(this.touched, box);
    this.changed(box);
  }

  /** Bring `before` up to the mask within `box`. */
  private catchUp(box: Box): void {
    for (let y = box.y0; y < box.y1; y++) {
      const from = y * this.mask.width + box.x0;
      const to = y * this.mask.width + box.x1;
      this.before.target.set(this.mask.target.subarray(from, to), from);
      this.before.weight.set(this.mask.weight.subarray(from, to), from);
    }
  }
}
