import type { Box } from "./box";
import { FULL_TARGET, FULL_WEIGHT, type Mask } from "./mask";

export const RELEVANT_RGB = [43, 190, 172] as const;
export const IRRELEVANT_RGB = [242, 140, 40] as const;

/** How strong the weakest and the full importance or trust look. */
const LEAST = 0.35;

/** RGBA as the bytes of one number, by the steps of importance or trust; 0 is clear. */
function shadesOf(colour: readonly [number, number, number], steps: number): Uint32Array {
  const bytes = new Uint8ClampedArray(4 * (steps + 1));
  for (let step = 1; step <= steps; step++) bytes.set([...colour, Math.round(255 * (LEAST + ((1 - LEAST) * step) / steps))], 4 * step);
  return new Uint32Array(bytes.buffer);
}

const RELEVANT = shadesOf(RELEVANT_RGB, FULL_TARGET);
const IRRELEVANT = shadesOf(IRRELEVANT_RGB, FULL_WEIGHT);

/**
 * RGBA of the cells of one kind within `box`, clear elsewhere. Full importance or trust is opaque: how much of it is
 * seen over the picture is decided when the layer is drawn. Gives whether there is any such cell.
 */
export function tintPixels(mask: Mask, box: Box, kind: "relevant" | "irrelevant", into: Uint8ClampedArray): boolean {
  const pixels = new Uint32Array(into.buffer, into.byteOffset, into.length / 4);
  const { target, weight } = mask;
  let at = 0;
  let any = 0;
  for (let y = box.top; y < box.bottom; y++) {
    const end = y * mask.width + box.right;
    for (let cell = y * mask.width + box.left; cell < end; cell++) {
      const known = weight[cell]!;
      const importance = target[cell]!;
      let pixel = 0;
      if (known !== 0) pixel = kind === "relevant" ? RELEVANT[importance]! : importance === 0 ? IRRELEVANT[known]! : 0;
      pixels[at++] = pixel;
      any |= pixel;
    }
  }
  return any !== 0;
}
