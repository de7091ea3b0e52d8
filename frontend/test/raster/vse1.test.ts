import { describe, expect, it } from "vitest";
import { decodeMask, encodeMask } from "../../src/raster/vse1";
import { randomMask } from "./masks";

describe("VSE1", () => {
  it("is byte for byte what the server writes", () => {
    const mask = { width: 2, height: 1, target: new Uint16Array([65535, 0]), weight: new Uint8Array([255, 0]) };
    expect(Buffer.from(encodeMask(mask)).toString("hex")).toBe("565345310200000001000000ffff0000ff00");
  });

  it("keeps the order of bytes and rows", () => {
    const mask = { width: 1, height: 2, target: new Uint16Array([0x0102, 3]), weight: new Uint8Array([4, 5]) };
    expect(Buffer.from(encodeMask(mask)).toString("hex")).toBe("565345310100000002000000020103000405");
  });

  it.each([[1, 1], [5, 3], [130, 67]])("gives back a mask of %i x %i", (width, height) => {
    const mask = randomMask(width, height);
    expect(decodeMask(encodeMask(mask))).toEqual(mask);
  });

  it("reads from the middle of a buffer", () => {
    const bytes = new Uint8Array(1 + 12 + 3);
    bytes.set(encodeMask(randomMask(1, 1)), 1);
    expect(decodeMask(bytes.subarray(1))).toEqual(randomMask(1, 1));
  });

  it.each([
    ["nothing", new Uint8Array(0)],
    ["another magic", new Uint8Array([0x50, 0x4e, 0x47, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0])],
    ["a byte too few", encodeMask(randomMask(2, 2)).subarray(0, -1)],
    ["a byte too many", new Uint8Array([...encodeMask(randomMask(2, 2)), 0])],
    ["no width", new Uint8Array([0x56, 0x53, 0x45, 0x31, 0, 0, 0, 0, 1, 0, 0, 0])],
    ["a side over 4096", new Uint8Array([0x56, 0x53, 0x45, 0x31, 1, 16, 0, 0, 1, 0, 0, 0])],
  ])("refuses %s", (_, bytes) => {
    expect(() => decodeMask(bytes)).toThrow(RangeError);
  });
});
