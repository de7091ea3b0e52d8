import { isEmpty, type Box } from "../raster/box";
import { kindAt, overwrite, resampleMask, wholeBox, type Mask } from "../raster/mask";
import type { Paint } from "../raster/paint";
import type { Shape } from "../raster/shapes";
import { Stroke } from "../raster/stroke";
import { SavedTiles } from "../raster/tiles";
import { UndoStack } from "../raster/undo";

/** What is drawn on one image: its mask, the stroke in progress, and what can be undone. */
export class Drawing {
  private readonly history = new UndoStack();
  private stroke: Stroke | null = null;

  constructor(readonly mask: Mask) {}

  /** Begin a stroke. One in progress is finished first, so that nothing drawn is lost. */
  begin(paint: Paint): Stroke {
    this.finish();
    this.stroke = new Stroke(this.mask, paint);
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
    return wholeBox(this.mask);
  }

  /** Replace everything, as one stroke; a mask of another size is brought to this grid. */
  replace(source: Mask): Box {
    this.finish();
    const before = new SavedTiles(this.mask);
    before.save(wholeBox(this.mask));
    overwrite(this.mask, resampleMask(source, this.mask.width, this.mask.height));
    this.history.push(before);
    return wholeBox(this.mask);
  }

  undo(): Box {
    this.finish();
    return this.history.undo();
  }

  redo(): Box {
    this.finish();
    return this.history.redo();
  }

  get canUndo(): boolean {
    return this.history.canUndo;
  }

  get canRedo(): boolean {
    return this.history.canRedo;
  }
}
