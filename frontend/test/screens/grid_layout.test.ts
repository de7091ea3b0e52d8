import { describe, expect, it } from "vitest";
import { routeOf } from "../../src/screens/routes";
import { gridOf, movedBy, rowsInSight } from "../../src/screens/triage/grid_layout";

describe("grid", () => {
  it("fills the width, and never leaves it", () => {
    for (const width of [90, 168, 360, 1000, 1637]) {
      const grid = gridOf(width, 100);
      const used = grid.columns * grid.cellWidth + (grid.columns - 1) * grid.gap;
      if (width >= 168) expect(used).toBeLessThanOrEqual(width);
      expect(grid.columns).toBeGreaterThanOrEqual(1);
    }
  });
  it("holds no more rows than are in sight and a few beyond, wherever one scrolls", () => {
    const grid = gridOf(1000, 100_000);
    for (const top of [0, 5000, grid.height - 800]) {
      const { first, last } = rowsInSight(grid, top, 800);
      expect(first * grid.rowHeight).toBeLessThanOrEqual(top);
      expect(last * grid.rowHeight).toBeGreaterThanOrEqual(top + 800);
      expect(last - first).toBeLessThan(12);
    }
  });
  it("moves by keys and stays within the list", () => {
    expect(movedBy("ArrowRight", 3, 10, 4, 2)).toBe(4);
    expect(movedBy("ArrowDown", 3, 10, 4, 2)).toBe(7);
    expect(movedBy("ArrowDown", 7, 10, 4, 2)).toBe(9);
    expect(movedBy("ArrowUp", 2, 10, 4, 2)).toBe(0);
    expect(movedBy("PageDown", 0, 100, 4, 2)).toBe(8);
    expect([movedBy("End", 3, 10, 4, 2), movedBy("Home", 3, 10, 4, 2)]).toEqual([9, 0]);
    expect(movedBy("a", 3, 10, 4, 2)).toBeNull();
    expect(movedBy("ArrowRight", 0, 0, 4, 2)).toBeNull();
  });
});

describe("routes", () => {
  it.each([["#/image/12", { screen: "editor", key: 12 }], ["#/", { screen: "triage" }], ["", { screen: "triage" }], ["#/image/x", { screen: "triage" }], ["#/image/-1", { screen: "triage" }]])(
    "%s",
    (hash, route) => expect(routeOf(hash)).toEqual(route),
  );
});
