import { isEmpty, type Box } from "../raster/box";
import { isBlank, kindAt, overwrite, resampleMask, wholeBox, type Mask } from "../raster/mask";
import type { Paint } from "../raster/paint";
import type { Shape } from "../raster/shapes";
import { Stroke } from "../raster/stroke";
import { ChangedTiles, SavedTiles } from "../raster/tiles";
import { UndoStack } from "../raster/undo";

/** What is drawn on one image: its mask, the stroke in progress, what can be undone, and what changed and is not kept. */
export class Drawing {
  readonly changed: ChangedTiles;
  private readonly history = new UndoStack();
  private stroke: Stroke | null = null;

  constructor(readonly mask: Mask) {
    this.changed = new ChangedTiles(mask);
    if (!isBlank(mask)) this.changed.add(wholeBox(mask));
  }

  /** Begin a stroke. One in progress is finished first, so that nothing drawn is lost. */
  begin(paint: Paint): Stroke {
    this.finish();
    this.stroke = new Stroke(this.mask, paint, (box) => this.changed.add(box));
    return this.stroke;
  }

  /** End the stroke in progress. Gives whether there was one that touched a cell. */
  finish(): boolean {
    const stroke = this.stroke;
    this.stroke = null;
    if (stroke === null || isEmpty(stroke.touched)) return false;
    this.history.push(stroke.before);
    return true;
  }

  /** Take back the stroke in progress. */
  cancel(): Box {
    const touched = this.stroke?.cancel() ?? { left: 0, top: 0, right: 0, bottom: 0 };
    this.stroke = null;
    return touched;
  }

  /** Fill a shape, as one stroke. */
  fill(shape: Shape, paint: Paint): Box {
    const box = this.begin(paint).lay(shape.box, shape.coverageAt);
    this.finish();
    return box;
  }

  /** Replace what is relevant by a shape, as one stroke. */
  snap(shape: Shape, strength: number): Box {
    this.finish();
    const before = new SavedTiles(this.mask);
    before.save(wholeBox(this.mask));
    for (let cell = 0; cell < this.mask.weight.length; cell++)
      if (kindAt(this.mask, cell) === "relevant") this.mask.target[cell] = this.mask.weight[cell] = 0;
    new Stroke(this.mask, { kind: "relevant", strength }).lay(shape.box, shape.coverageAt);
    this.history.push(before);
    return this.noted(wholeBox(this.mask));
  }

  /** Replace everything, as one stroke; a mask of another size is brought to this grid. */
  replace(source: Mask): Box {
    this.finish();
    const before = new SavedTiles(this.mask);
    before.save(wholeBox(this.mask));
    overwrite(this.mask, resampleMask(source, this.mask.width, this.mask.height));
    this.history.push(before);
    return this.noted(wholeBox(this.mask));
  }

  undo(): Box {
    this.finish();
    return this.noted(this.history.undo());
  }

  redo(): Box {
    this.finish();
    return this.noted(this.history.redo());
  }

  get canUndo(): boolean {
    return this.history.canUndo;
  }

  get canRedo(): boolean {
    return this.history.canRedo;
  }

  private noted(box: Box): Box {
    this.changed.add(box);
    return box;
  }
}
