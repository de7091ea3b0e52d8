import { describe, expect, it } from "vitest";
import { copyMask, emptyMask, resampleMask, countKinds } from "../../src/raster/mask";
import { cellOf, paintCell } from "../../src/raster/paint";
import { boxShape, ellipseShape, polygonShape } from "../../src/raster/shapes";
import { brushCoverage, Stroke } from "../../src/raster/stroke";
import { Drawing } from "../../src/tools/drawing";
import { draw, randomMask } from "./masks";

const RELEVANT = { kind: "relevant", strength: 1 } as const;
const IRRELEVANT = { kind: "irrelevant", strength: 1 } as const;
const ERASE = { kind: "unknown", strength: 1 } as const;

describe("paintCell", () => {
  it("makes unknown relevant, as much as the strength says, with full trust", () => {
    expect(paintCell({ kind: "relevant", strength: 0.5 }, 255, 0, 0)).toBe(cellOf(32768, 255));
  });
  it("blends a soft edge into the importance that was there, and lowers it where asked", () => {
    expect(paintCell({ kind: "relevant", strength: 0 }, 51, 60000, 9)).toBe(cellOf(48000, 255));
    expect(paintCell({ kind: "relevant", strength: 0.2 }, 255, 65535, 255)).toBe(cellOf(13107, 255));
  });
  it("never makes a relevant stroke irrelevant by rounding", () => {
    expect(paintCell({ kind: "relevant", strength: 0 }, 255, 0, 0)).toBe(cellOf(1, 255));
  });
  it("does not take the target of an unknown cell for importance", () => {
    expect(paintCell({ kind: "relevant", strength: 0.5 }, 128, 65535, 0)).toBe(cellOf(Math.round(0.5 * 65535 * (128 / 255)), 255));
  });
  it("lowers the trust at a soft edge of irrelevant, and replaces relevant by its inner half alone", () => {
    expect(paintCell(IRRELEVANT, 100, 0, 0)).toBe(cellOf(0, 100));
    expect(paintCell(IRRELEVANT, 127, 500, 255)).toBe(cellOf(500, 255));
    expect(paintCell(IRRELEVANT, 200, 500, 255)).toBe(cellOf(0, 200));
  });
  it("erases with a hard edge", () => {
    expect(paintCell(ERASE, 127, 500, 255)).toBe(cellOf(500, 255));
    expect(paintCell(ERASE, 128, 500, 255)).toBe(0);
  });
  it("holds the largest values in one number", () => {
    const cell = cellOf(65535, 255);
    expect([cell >> 8, cell & 255]).toEqual([65535, 255]);
  });
});

describe("Stroke", () => {
  it("draws a line of the brush's width", () => {
    const mask = emptyMask(9, 5);
    const stroke = new Stroke(mask, RELEVANT);
    stroke.moveTo(2, 2.5, { radius: 1, softness: 0 });
    stroke.moveTo(7, 2.5, { radius: 1, softness: 0 });
    const painted = draw(mask);
    expect(painted[2]).toMatch(/^.\+{7}.$/);
    expect(painted[0]).toBe(".........");
    expect(painted[4]).toBe(".........");
  });

  it("gives every cell the coverage of the slow form: the nearest point of the whole path", () => {
    const path = [[10, 10], [50, 20], [90, 80], [20, 70]] as const;
    const brush = { radius: 9, softness: 0.5 };
    const mask = emptyMask(130, 100);
    const stroke = new Stroke(mask, RELEVANT);
    for (const [x, y] of path) stroke.moveTo(x, y, brush);
    let wrong = 0;
    for (let y = 0; y < 100; y++)
      for (let x = 0; x < 130; x++) {
        let nearest = Infinity;
        for (let i = 0; i + 1 < path.length; i++)
          for (let step = 0; step <= 400; step++) {
            const px = path[i]![0] + ((path[i + 1]![0] - path[i]![0]) * step) / 400;
            const py = path[i]![1] + ((path[i + 1]![1] - path[i]![1]) * step) / 400;
            nearest = Math.min(nearest, Math.hypot(x + 0.5 - px, y + 0.5 - py));
          }
        const wanted = paintCell(RELEVANT, brushCoverage(nearest, 9, 0.5), 0, 0);
        const target = wanted >> 8;
        if (Math.abs(target - mask.target[y * 130 + x]!) > 65535 * 0.02) wrong++;
      }
    expect(wrong).toBe(0);
  });

  it("paints no deeper by passing twice", () => {
    const once = emptyMask(40, 40);
    const twice = emptyMask(40, 40);
    const brush = { radius: 10, softness: 1 };
    new Stroke(once, RELEVANT).moveTo(20, 20, brush);
    const stroke = new Stroke(twice, RELEVANT);
    for (let i = 0; i < 5; i++) stroke.moveTo(20, 20, brush);
    expect(twice).toEqual(once);
  });

  it("reports a box that holds every change, and touches nothing outside of it", () => {
    const mask = randomMask(200, 150);
    const before = copyMask(mask);
    const box = new Stroke(mask, ERASE).moveTo(63.5, 64.5, { radius: 20, softness: 0 });
    for (let y = 0; y < 150; y++)
      for (let x = 0; x < 200; x++)
        if (x < box.left || x >= box.right || y < box.top || y >= box.bottom)
          expect(mask.weight[y * 200 + x]).toBe(before.weight[y * 200 + x]);
    expect(mask.weight[64 * 200 + 63]).toBe(0);
  });

  it("leaves the mask alone outside of the picture", () => {
    const mask = emptyMask(10, 10);
    new Stroke(mask, RELEVANT).moveTo(-50, 400, { radius: 5, softness: 0 });
    expect(countKinds(mask)).toEqual({ unknown: 100, relevant: 0, irrelevant: 0 });
  });
});

describe("shapes", () => {
  const size = { width: 8, height: 6 };
  const filled = (shape: ReturnType<typeof boxShape>) => {
    const drawing = new Drawing(emptyMask(size.width, size.height));
    drawing.fill(shape, RELEVANT);
    return draw(drawing.mask);
  };
  it("fills a box by the centres of cells, from any corner", () => {
    const wanted = ["........", "..+++...", "..+++...", "........", "........", "........"];
    expect(filled(boxShape(size, { x: 1.6, y: 0.9 }, { x: 5, y: 3 }))).toEqual(wanted);
    expect(filled(boxShape(size, { x: 5, y: 3 }, { x: 1.6, y: 0.9 }))).toEqual(wanted);
  });
  it("fills an ellipse", () => {
    expect(filled(ellipseShape(size, { x: 0, y: 0 }, { x: 8, y: 6 }))).toEqual([
      "..++++..", ".++++++.", "++++++++", "++++++++", ".++++++.", "..++++..",
    ]);
  });
  it("fills a polygon, also a concave one, by even-odd", () => {
    const corners = [{ x: 0, y: 0 }, { x: 8, y: 0 }, { x: 8, y: 6 }, { x: 5, y: 6 }, { x: 5, y: 2 }, { x: 3, y: 2 }, { x: 3, y: 6 }, { x: 0, y: 6 }];
    expect(filled(polygonShape(size, corners))).toEqual([
      "++++++++", "++++++++", "+++..+++", "+++..+++", "+++..+++", "+++..+++",
    ]);
  });
});

describe("Drawing", () => {
  it("undoes and redoes one stroke at a time, exactly, over many strokes", () => {
    const drawing = new Drawing(randomMask(150, 90));
    const states = [copyMask(drawing.mask)];
    const paints = [RELEVANT, IRRELEVANT, ERASE];
    for (let i = 0; i < 9; i++) {
      const stroke = drawing.begin(paints[i % 3]!);
      stroke.moveTo(15 * i, 10 * i, { radius: 12, softness: 0.5 });
      stroke.moveTo(150 - 15 * i, 40, { radius: 12, softness: 0.5 });
      drawing.finish();
      states.push(copyMask(drawing.mask));
    }
    for (let i = 8; i >= 0; i--) {
      drawing.undo();
      expect(drawing.mask).toEqual(states[i]);
    }
    expect(drawing.canUndo).toBe(false);
    for (let i = 1; i <= 9; i++) {
      drawing.redo();
      expect(drawing.mask).toEqual(states[i]);
    }
    expect(drawing.canRedo).toBe(false);
  });

  it("forgets what could be redone when something new is drawn", () => {
    const drawing = new Drawing(emptyMask(8, 6));
    drawing.fill(boxShape(drawing.mask, { x: 0, y: 0 }, { x: 2, y: 2 }), RELEVANT);
    drawing.undo();
    drawing.fill(boxShape(drawing.mask, { x: 4, y: 4 }, { x: 6, y: 6 }), RELEVANT);
    expect(drawing.canRedo).toBe(false);
  });

  it("cancels a stroke without a trace", () => {
    const drawing = new Drawing(randomMask(70, 70));
    const before = copyMask(drawing.mask);
    drawing.begin(ERASE).moveTo(30, 30, { radius: 30, softness: 0 });
    drawing.cancel();
    expect(drawing.mask).toEqual(before);
    expect(drawing.canUndo).toBe(false);
  });

  it("replaces everything as one stroke, from another grid", () => {
    const drawing = new Drawing(randomMask(6, 4));
    const before = copyMask(drawing.mask);
    const source = emptyMask(3, 2);
    source.target.fill(65535);
    source.weight.set([255, 0, 255, 0, 255, 0]);
    drawing.replace(source);
    expect(draw(drawing.mask)).toEqual(["++..++", "++..++", "..++..", "..++.."]);
    drawing.undo();
    expect(drawing.mask).toEqual(before);
  });
});

describe("resampleMask", () => {
  it("takes the cell under each centre, up and down", () => {
    const mask = emptyMask(4, 1);
    mask.weight.set([255, 0, 255, 255]);
    expect([...resampleMask(mask, 2, 1).weight]).toEqual([0, 255]);
    expect([...resampleMask(mask, 8, 1).weight]).toEqual([255, 255, 0, 0, 255, 255, 255, 255]);
  });
});
