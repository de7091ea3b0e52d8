import { describe, expect, it } from "vitest";
import { boxOnScreen, fit, keepInSight, toPicture, toScreen, zoomAt } from "../../src/view/viewport";

const picture = { width: 200, height: 100 };
const screen = { width: 824, height: 624 };

describe("viewport", () => {
  it("fits and centres the picture within a margin", () => {
    expect(fit(picture, screen, 12)).toEqual({ scale: 4, x: 12, y: 112 });
  });
  it("keeps what is under the cursor where it is while it zooms", () => {
    const fitted = fit(picture, screen);
    let view = fitted;
    const at = { x: 300, y: 250 };
    const under = toPicture(view, at);
    for (const factor of [1.3, 2, 0.7, 5, 100, 0.001]) {
      view = zoomAt(view, at, factor, fitted);
      const back = toScreen(view, under);
      expect(back.x).toBeCloseTo(at.x, 6);
      expect(back.y).toBeCloseTo(at.y, 6);
    }
    expect(view.scale).toBe(fitted.scale / 2);
  });
  it("places boxes", () => {
    expect(boxOnScreen({ scale: 2, x: 1, y: 3 }, { left: 0, top: 1, right: 2, bottom: 4 })).toEqual({
      left: 1, top: 5, right: 5, bottom: 11,
    });
  });
  it("never loses the picture from sight", () => {
    const view = keepInSight({ scale: 1, x: 5000, y: -5000 }, picture, screen, 60);
    expect(view).toEqual({ scale: 1, x: 764, y: -40 });
  });
});
