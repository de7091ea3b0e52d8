import { emptyMask, type Mask } from "../../src/raster/mask";

/** One character a cell: `.` unknown, `+` relevant, `-` irrelevant, `?` anything relevant but full. */
export function draw(mask: Mask): string[] {
  return Array.from({ length: mask.height }, (_, y) =>
    Array.from({ length: mask.width }, (_, x) => {
      const cell = y * mask.width + x;
      if (mask.weight[cell] === 0) return ".";
      if (mask.target[cell] === 0) return "-";
      return mask.target[cell] === 65535 ? "+" : "?";
    }).join(""),
  );
}

/** Numbers that look random and are the same each time. */
export function randomMask(width: number, height: number, seed = 1): Mask {
  const mask = emptyMask(width, height);
  let state = seed;
  const next = () => (state = (state * 1664525 + 1013904223) >>> 0);
  for (let i = 0; i < mask.target.length; i++) {
    mask.target[i] = next() >>> 16;
    mask.weight[i] = next() >>> 24;
  }
  return mask;
}
