import { describe, expect, it, vi } from "vitest";
import type { Labels } from "../../src/raster/labels";
import { emptyMask } from "../../src/raster/mask";
import { Selecting, sketchOf, type Finder } from "../../src/tools/selecting";

const labels = (...values: number[]): Labels => ({ width: values.length, height: 1, values: Uint16Array.from(values) });

function opened(finder: Partial<Finder> = {}) {
  const said: string[] = [];
  const select = vi.fn<Finder["select"]>(async () => labels(0, 1, 1, 0));
  const superpixels = vi.fn<Finder["superpixels"]>(async () => labels(0, 0, 1, 1));
  const selecting = new Selecting(3, { select, superpixels, ...finder }, () => undefined, (text) => said.push(text));
  return { selecting, said, select, superpixels };
}

describe("Selecting", () => {
  it("asks with all clicks, and says what it found", async () => {
    const { selecting, said, select } = opened();
    await selecting.click({ x: 0.5, y: 0.5 }, true);
    await selecting.click({ x: 0.1, y: 0.5 }, false);
    expect(select.mock.calls[1]!.slice(0, 2)).toEqual([
      3, { points: [{ x: 0.5, y: 0.5, inside: true }, { x: 0.1, y: 0.5, inside: false }] },
    ]);
    expect(selecting.found?.values[1]).toBe(1);
    expect(said.at(-1)).toContain("50 %");
    expect(selecting.cancel()).toBe(true);
    expect([selecting.found, selecting.clicks, selecting.cancel()]).toEqual([null, [], false]);
  });
  it("does not ask what cannot be answered", async () => {
    const { selecting, said, select } = opened();
    await selecting.click({ x: 0.5, y: 0.5 }, false);
    await selecting.box({ x: 0.5, y: 0.2 }, { x: 0.5, y: 0.9 });
    await selecting.drawn(emptyMask(4, 1), 100);
    expect(select).not.toHaveBeenCalled();
    expect(said).toHaveLength(2);
  });
  it("takes back a click that failed, and says why", async () => {
    const { selecting, said } = opened({ select: () => Promise.reject(new Error("gone")) });
    await selecting.click({ x: 0.5, y: 0.5 }, true);
    expect([selecting.clicks, said]).toEqual([[], ["gone"]]);
  });
  it("lets only the last of several answers count", async () => {
    const answers: ((found: Labels) => void)[] = [];
    const { selecting } = opened({ select: () => new Promise((answer) => answers.push(answer)) });
    const both = [selecting.click({ x: 0.5, y: 0.5 }, true), selecting.click({ x: 0.6, y: 0.5 }, true)];
    answers[1]!(labels(1, 1));
    answers[0]!(labels(0, 1));
    await Promise.all(both);
    expect([...selecting.found!.values]).toEqual([1, 1]);
  });
  it("says that it is slow only where it is", async () => {
    vi.useFakeTimers();
    let answer: (found: Labels) => void = () => undefined;
    const { selecting } = opened({ select: () => new Promise((done) => (answer = done)) });
    const asked = selecting.box({ x: 0, y: 0 }, { x: 1, y: 1 });
    await vi.advanceTimersByTimeAsync(140);
    expect(selecting.slow).toBe(false);
    await vi.advanceTimersByTimeAsync(20);
    expect(selecting.slow).toBe(true);
    answer(labels(0, 1));
    await asked;
    expect(selecting.slow).toBe(false);
    vi.useRealTimers();
  });
  it("keeps superpixels until another count is wanted", async () => {
    const { selecting, superpixels } = opened();
    await selecting.needPieces(100);
    await selecting.needPieces(100);
    expect(superpixels).toHaveBeenCalledTimes(1);
    expect([selecting.pieceAt({ x: 0.1, y: 0 }), selecting.pieceAt({ x: 0.9, y: 0.9 }), selecting.pieceAt({ x: 1.2, y: 0 })]).toEqual([0, 1, null]);
    await selecting.needPieces(200);
    expect(superpixels).toHaveBeenCalledTimes(2);
  });
  it("sketches the relevant cells as bits, the highest first", () => {
    const mask = emptyMask(8, 2);
    mask.target[1] = 65535;
    mask.weight[1] = mask.weight[2] = 255;
    const sketch = sketchOf(mask, { width: 8, height: 2 })!;
    expect([...atob(sketch.bits)].map((character) => character.charCodeAt(0))).toEqual([0b01000000, 0]);
    expect([sketch.from.x, sketch.to.x].map((value) => Math.round(800 * value))).toEqual([85, 215]);
  });
});
