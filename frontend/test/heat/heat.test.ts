import { describe, expect, it } from "vitest";
import { decodeValues, resizeMap } from "../../src/heat/attention_map";
import { colourTable } from "../../src/heat/colour_maps";
import { heatPixels } from "../../src/heat/heat_canvas";
import { mapShape } from "../../src/raster/from_map";

const map = { width: 2, height: 1, values: new Float32Array([0, 1]), dead: false };

describe("attention maps", () => {
  it("reads base64 of little-endian float32", () => {
    const text = Buffer.from(new Uint8Array([0, 0, 128, 63, 0, 0, 0, 63])).toString("base64");
    expect([...decodeValues(text)]).toEqual([1, 0.5]);
  });
  it("resizes bilinearly between the centres of cells", () => {
    expect([...resizeMap(map, 4, 1)]).toEqual([0, 0.25, 0.75, 1]);
    expect([...resizeMap(map, 2, 3)]).toEqual([0, 1, 0, 1, 0, 1]);
  });
  it("gives the cells at and above a threshold, or those below", () => {
    const at = (invert: boolean) => {
      const shape = mapShape(map, { width: 4, height: 1 }, { threshold: 0.25, invert, clicks: [] });
      return [0, 1, 2, 3].map((x) => shape.coverageAt(x, 0));
    };
    expect(at(false)).toEqual([0, 255, 255, 255]);
    expect(at(true)).toEqual([255, 0, 0, 0]);
  });
  it("leaves out a part that is clicked, and takes it again at the second click", () => {
    const two = { width: 5, height: 1, values: new Float32Array([1, 1, 0, 0, 1]), dead: false };
    const with_ = (...clicks: { x: number; y: number }[]) => {
      const shape = mapShape(two, { width: 5, height: 1 }, { threshold: 0.5, invert: false, clicks });
      return [0, 1, 2, 3, 4].map((x) => shape.coverageAt(x, 0));
    };
    expect(with_({ x: 0.3, y: 0.5 })).toEqual([0, 0, 0, 0, 255]);
    expect(with_({ x: 0.3, y: 0.5 }, { x: 0.5, y: 0.5 })).toEqual([0, 0, 0, 0, 255]);
    expect(with_({ x: 0.3, y: 0.5 }, { x: 0.1, y: 0.5 })).toEqual([255, 255, 0, 0, 255]);
  });
});

describe("colour maps", () => {
  it.each([
    ["viridis", [68, 1, 84], [253, 231, 37]],
    ["cividis", [0, 34, 78], [254, 232, 56]],
    ["jet", [0, 0, 128], [128, 0, 0]],
  ] as const)("%s starts and ends as published", (name, first, last) => {
    const table = colourTable(name);
    expect([...table.subarray(0, 3)]).toEqual(first);
    expect([...table.subarray(765)]).toEqual(last);
  });
  it("lets the picture through where the map is low", () => {
    const pixels = heatPixels(new Float32Array([0, 0.3, 1, 7]), "viridis");
    const alphas = [pixels[3]!, pixels[7]!, pixels[11]!, pixels[15]!];
    expect(alphas).toEqual([64, 159, 255, 255]);
  });
});
