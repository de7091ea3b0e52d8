import { describe, expect, it } from "vitest";
import { MaskCopies } from "../../src/journal/mask_copies";
import { cellsOf, copyMask, emptyMask } from "../../src/raster/mask";
import { ellipseShape } from "../../src/raster/shapes";
import { Drawing } from "../../src/tools/drawing";
import { randomMask } from "../raster/masks";

const RELEVANT = { kind: "relevant", strength: 1 } as const;
const ERASE = { kind: "unknown", strength: 1 } as const;

/** What a page would tell the worker now. */
const order = (drawing: Drawing, name = 1) => ({
  drawing: name, ticket: 1, width: drawing.mask.width, height: drawing.mask.height,
  changes: drawing.changed.take().map((box) => ({ box, cells: cellsOf(drawing.mask, box) })),
});

describe("MaskCopies", () => {
  it("has the same cells as the drawing after every kind of change, told by its tiles alone", () => {
    const drawing = new Drawing(randomMask(150, 90));
    const copies = new MaskCopies();
    const same = () => expect(copies.follow(order(drawing))).toEqual(copyMask(drawing.mask));
    same();
    drawing.begin(ERASE).moveTo(70, 60, { radius: 9, softness: 0 });
    same();
    drawing.cancel();
    same();
    drawing.fill(ellipseShape(drawing.mask, { x: 3, y: 4 }, { x: 80, y: 70 }), RELEVANT);
    same();
    drawing.undo();
    same();
    drawing.redo();
    same();
    drawing.snap(ellipseShape(drawing.mask, { x: 100, y: 40 }, { x: 140, y: 80 }), 1);
    same();
    drawing.replace(randomMask(150, 90));
    same();
  });

  it("is told only of what changed", () => {
    const drawing = new Drawing(emptyMask(640, 640));
    expect(drawing.changed.take()).toEqual([]);
    drawing.begin(RELEVANT).moveTo(32, 32, { radius: 5, softness: 0 });
    expect(drawing.changed.take()).toEqual([{ left: 0, top: 0, right: 64, bottom: 64 }]);
    expect(drawing.changed.take()).toEqual([]);
  });

  it("keeps drawings apart and forgets closed ones", () => {
    const copies = new MaskCopies();
    const [one, other] = [new Drawing(randomMask(6, 4)), new Drawing(emptyMask(6, 4))];
    copies.follow(order(one, 1));
    expect(copies.follow(order(other, 2))).toEqual(emptyMask(6, 4));
    expect(copies.follow({ drawing: 1, close: true })).toBeNull();
    expect(copies.follow(order(one, 1))).toEqual(emptyMask(6, 4));
  });
});
