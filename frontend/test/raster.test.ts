import { describe, expect, it } from "vitest";
import { decodeEdit, encodeEdit, resample } from "../src/api/editBytes";
import { colourTable } from "../src/colour/maps";
import { Drawer } from "../src/editor/drawing";
import { cellAt, fit, zoomAt } from "../src/editor/view";
import { heatAt, hotCells } from "../src/raster/heat";
import { type Brush, fillEllipse, fillPolygon, Mask, paintStretch } from "../src/raster/mask";
import { maskPixels } from "../src/raster/paint";

const BRUSH: Brush = { mark: "relevant", radius: 3, softness: 0, strength: 1 };

/** Cells within `radius` of the stretch, by the definition. */
function within(ax: number, ay: number, bx: number, by: number, radius: number, x: number, y: number): boolean {
  let least = Infinity;
  for (let step = 0; step <= 1000; step++) {
    const share = step / 1000;
    least = Math.min(least, Math.hypot(x + 0.5 - ax - share * (bx - ax), y + 0.5 - ay - share * (by - ay)));
  }
  return least <= radius;
}

describe("brush", () => {
  it("paints the cells within its radius of the stretch, and no other", () => {
    const mask = new Mask(40, 30);
    paintStretch(mask, 8.2, 7.4, 28.9, 19.3, BRUSH);
    let wrong = 0;
    for (let y = 0; y < 30; y++)
      for (let x = 0; x < 40; x++)
        if (mask.weight[y * 40 + x] > 0 !== within(8.2, 7.4, 28.9, 19.3, 3, x, y)) wrong++;
    expect(wrong).toBeLessThanOrEqual(2); // cells exactly on the border
  });

  it("touches only the box it names", () => {
    const mask = new Mask(50, 50);
    const box = paintStretch(mask, 10, 10, 20, 12, BRUSH)!;
    mask.weight.forEach((weight, at) => {
      const x = at % 50;
      const y = Math.floor(at / 50);
      if (weight) expect(x >= box.x0 && x < box.x1 && y >= box.y0 && y < box.y1).toBe(true);
    });
    expect(paintStretch(mask, -50, -50, -40, -40, BRUSH)).toBeNull();
  });

  it("fades out at a soft edge and never thins what is there", () => {
    const mask = new Mask(21, 21);
    const soft = { ...BRUSH, radius: 10, softness: 0.5 };
    paintStretch(mask, 10.5, 10.5, 10.5, 10.5, soft);
    const row = [...mask.target.subarray(10 * 21 + 10, 10 * 21 + 20)];
    expect(row[0]).toBe(65535);
    expect(row).toEqual([...row].sort((a, b) => b - a));
    expect(row[9]).toBeLessThan(20000);
    const before = mask.target.slice();
    paintStretch(mask, 12.5, 10.5, 12.5, 10.5, soft);
    mask.target.forEach((value, at) => expect(value).toBeGreaterThanOrEqual(before[at]));
  });

  it("marks irrelevant and erases to unknown", () => {
    const mask = new Mask(10, 10);
    paintStretch(mask, 5, 5, 5, 5, { ...BRUSH, mark: "irrelevant" });
    expect([mask.target[55], mask.weight[55]]).toEqual([0, 255]);
    paintStretch(mask, 5, 5, 5, 5, { ...BRUSH, mark: "unknown", radius: 20 });
    expect(mask.isEmpty).toBe(true);
  });
});

describe("shapes", () => {
  it("fills a polygon by the even-odd rule", () => {
    const mask = new Mask(20, 20);
    const star = [10, 1, 16, 18, 1, 7, 19, 7, 4, 18];
    const corners = [0, 2, 4, 6, 8].map((at) => ({ x: star[at], y: star[at + 1] }));
    fillPolygon(mask, corners, "relevant", 1);
    expect(mask.weight[3 * 20 + 10]).toBe(255); // a ray of the star
    expect(mask.weight[10 * 20 + 10]).toBe(0); // its middle lies inside twice
  });

  it("fills an ellipse of the right area", () => {
    const mask = new Mask(100, 100);
    fillEllipse(mask, { x: 10, y: 20 }, { x: 90, y: 80 }, "relevant", 1);
    const area = mask.weight.filter((weight) => weight > 0).length;
    expect(area / (Math.PI * 40 * 30)).toBeCloseTo(1, 1);
  });
});

describe("undo", () => {
  it("takes back and does again one stroke at a time, exactly", () => {
    const drawer = new Drawer(new Mask(60, 60), () => {});
    const states = [drawer.mask.target.slice()];
    for (let stroke = 0; stroke < 20; stroke++) {
      const at = { x: (stroke * 13) % 60, y: (stroke * 29) % 60 };
      const mark = (["relevant", "irrelevant", "unknown"] as const)[stroke % 3];
      drawer.stretch(at, { x: at.y, y: at.x }, { ...BRUSH, mark, softness: 0.3 });
      drawer.stretch({ x: at.y, y: at.x }, at, { ...BRUSH, mark, softness: 0.3 });
      drawer.finish();
      states.push(drawer.mask.target.slice());
    }
    for (let stroke = 19; stroke >= 0; stroke--) {
      expect(drawer.undo()).toBe(true);
      expect(drawer.mask.target).toEqual(states[stroke]);
    }
    expect(drawer.undo()).toBe(false);
    for (let stroke = 1; stroke <= 20; stroke++) {
      drawer.redo();
      expect(drawer.mask.target).toEqual(states[stroke]);
    }
  });
});

describe("coding", () => {
  it("comes back as it went", () => {
    const mask = new Mask(7, 5);
    paintStretch(mask, 3, 2, 6, 4, { ...BRUSH, softness: 0.8, strength: 0.6 });
    const back = decodeEdit(encodeEdit(mask));
    expect([back.width, back.height]).toEqual([7, 5]);
    expect(back.target).toEqual(mask.target);
    expect(back.weight).toEqual(mask.weight);
  });

  it("is what the server writes", () => {
    const mask = new Mask(2, 1, Uint16Array.of(1, 65535), Uint8Array.of(255, 3));
    expect([...encodeEdit(mask)]).toEqual([86, 83, 69, 49, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 255, 255, 255, 3]);
  });

  it("refuses what is cut short or something else", () => {
    const bytes = encodeEdit(new Mask(3, 3));
    expect(() => decodeEdit(bytes.slice(0, 20))).toThrow(RangeError);
    expect(() => decodeEdit(new Uint8Array(40))).toThrow(RangeError);
  });

  it("is shown on another grid", () => {
    const mask = new Mask(2, 1, Uint16Array.of(0, 9), Uint8Array.of(0, 255));
    expect([...resample(mask, 4, 2).target]).toEqual([0, 0, 9, 9, 0, 0, 9, 9]);
  });
});

describe("maps", () => {
  const map = { width: 2, height: 2, values: Float32Array.of(0, 1, 0, 1) };

  it("is exact in the middles of its cells and straight in between", () => {
    expect(heatAt(map, 0.25, 0.25)).toBe(0);
    expect(heatAt(map, 0.75, 0.75)).toBe(1);
    expect(heatAt(map, 0.5, 0.5)).toBeCloseTo(0.5);
    expect(heatAt(map, 0, 0)).toBe(0);
  });

  it("gives the cells over a threshold", () => {
    expect([...hotCells(map, 4, 1, 0.5)]).toEqual([0, 0, 1, 1]);
  });

  it("has colours from the darkest to the lightest", () => {
    const table = colourTable("viridis");
    expect(table.length).toBe(768);
    expect([...table.subarray(0, 3)]).toEqual([68, 1, 84]);
    expect([...table.subarray(765)]).toEqual([253, 231, 37]);
  });
});

describe("showing", () => {
  it("tells relevant and irrelevant apart without colour", () => {
    const mask = new Mask(16, 16);
    mask.weight.fill(255);
    const irrelevant = maskPixels(mask, { x0: 0, y0: 0, x1: 16, y1: 16 }).filter((_, at) => at % 4 === 3);
    mask.target.fill(65535);
    const relevant = maskPixels(mask, { x0: 0, y0: 0, x1: 16, y1: 16 }).filter((_, at) => at % 4 === 3);
    expect(irrelevant).not.toEqual(relevant);
  });

  it("keeps what is under the pointer there when zooming", () => {
    const view = fit(100, 50, 800, 600);
    const before = cellAt(view, 300, 200);
    const after = cellAt(zoomAt(view, 300, 200, 3), 300, 200);
    expect(after.x).toBeCloseTo(before.x);
    expect(after.y).toBeCloseTo(before.y);
  });
});
