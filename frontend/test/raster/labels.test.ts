import { describe, expect, it } from "vitest";
import { boxOf, cellsShape, decodeLabels, outlinePath, placeAt } from "../../src/raster/labels";
import { emptyMask, wholeBox } from "../../src/raster/mask";
import { partAt, partsOf } from "../../src/raster/parts";
import { Drawing } from "../../src/tools/drawing";
import { draw, randomMask } from "./masks";

const grid = { width: 3, height: 2, values: Uint16Array.from([0, 0, 1, 0, 2, 1]) };

function encoded(): Uint8Array {
  const bytes = new Uint8Array(12 + 12);
  const view = new DataView(bytes.buffer);
  bytes.set([0x56, 0x53, 0x4c, 0x31]);
  view.setUint32(4, 3, true);
  view.setUint32(8, 2, true);
  grid.values.forEach((value, i) => view.setUint16(12 + 2 * i, value, true));
  return bytes;
}

describe("labels", () => {
  it("are read, and refused where they are not whole", () => {
    expect(decodeLabels(encoded())).toEqual(grid);
    expect(() => decodeLabels(encoded().subarray(0, 23))).toThrow(RangeError);
    expect(() => decodeLabels(new Uint8Array(30))).toThrow(RangeError);
  });
  it("have a place for each cell of the picture, and none beyond it", () => {
    const size = { width: 30, height: 20 };
    expect([placeAt(grid, size, 0, 0), placeAt(grid, size, 29.9, 19.9), placeAt(grid, size, 15, 9)]).toEqual([0, 5, 1]);
    expect([placeAt(grid, size, 30, 0), placeAt(grid, size, -0.1, 0)]).toEqual([null, null]);
    expect(boxOf(grid, 1)).toEqual({ left: 2, top: 0, right: 3, bottom: 2 });
  });
  it("on their own grid are the chosen cells", () => {
    const drawing = new Drawing(emptyMask(3, 2));
    drawing.fill(cellsShape(grid, (place) => grid.values[place] === 0, grid, wholeBox(grid)), { kind: "relevant", strength: 1 });
    expect(draw(drawing.mask)).toEqual(["++.", "+.."]);
  });
  it("that are all chosen one after the other leave no gap on a finer grid", () => {
    const mask = emptyMask(31, 17);
    const stroke = new Drawing(mask).begin({ kind: "relevant", strength: 1 });
    const filled = new Set<number>();
    for (const label of [0, 1, 2]) {
      grid.values.forEach((value, place) => value === label && filled.add(place));
      const { box, coverageAt } = cellsShape(grid, (place) => filled.has(place), mask, boxOf(grid, label));
      stroke.lay(box, coverageAt);
    }
    expect(draw(mask).join("")).toBe("+".repeat(31 * 17));
  });
  it("have an outline of straight pieces", () => {
    const path = outlinePath(grid, (place) => grid.values[place] === 1);
    expect(path.match(/M\d+ \d+[HV]\d+/g)!.sort()).toEqual(["M2 0H3", "M2 0V2", "M2 2H3", "M3 0V2"]);
  });
});

describe("parts", () => {
  it("touch at sides, not at corners", () => {
    const cells = "##.#" + ".#..";
    const parts = partsOf({ width: 4, height: 2 }, (cell) => cells[cell] === "#");
    expect(parts.sizes).toEqual([3, 1]);
    expect([partAt(parts, { x: 0.3, y: 0.9 }), partAt(parts, { x: 0.9, y: 0.2 }), partAt(parts, { x: 0.9, y: 0.9 })]).toEqual([1, 2, 0]);
    expect(partsOf({ width: 2, height: 2 }, (cell) => cell === 0 || cell === 3).sizes).toEqual([1, 1]);
    expect(partAt(parts, { x: 1, y: 0 })).toBe(0);
  });
});

describe("snapping a drawing", () => {
  it("replaces what is relevant, leaves the rest, and is one stroke", () => {
    const mask = randomMask(3, 2);
    const before = { target: mask.target.slice(), weight: mask.weight.slice() };
    mask.target[5] = before.target[5] = 0;
    mask.weight[5] = before.weight[5] = 200;
    const drawing = new Drawing(mask);
    drawing.snap(cellsShape(grid, (place) => place === 1, mask, wholeBox(grid)), 1);
    expect(draw(mask)).toEqual([".+.", "..-"]);
    drawing.undo();
    expect([mask.target, mask.weight]).toEqual([before.target, before.weight]);
    expect(drawing.canUndo).toBe(false);
  });
});
