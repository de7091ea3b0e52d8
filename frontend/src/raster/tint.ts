import type { Box } from "./box";
import type { Mask } from "./mask";

export const RELEVANT_RGB = [43, 190, 172] as const;
export const IRRELEVANT_RGB = [242, 140, 40] as const;

/** How strong the weakest and the full importance or trust look. */
const LEAST = 0.35;

/**
 * RGBA of the cells of one kind within `box`, clear elsewhere. Full importance or trust is opaque: how much of it is
 * seen over the picture is decided when the layer is drawn.
 */
export function tintPixels(mask: Mask, box: Box, kind: "relevant" | "irrelevant", into: Uint8ClampedArray): void {
  const [red, green, blue] = kind === "relevant" ? RELEVANT_RGB : IRRELEVANT_RGB;
  const width = box.right - box.left;
  for (let y = box.top; y < box.bottom; y++)
    for (let x = box.left; x < box.right; x++) {
      const cell = y * mask.width + x;
      const at = 4 * ((y - box.top) * width + x - box.left);
      const weight = mask.weight[cell]!;
      const target = mask.target[cell]!;
      const strength = kind === "relevant" ? (weight > 0 ? target / 65535 : 0) : target === 0 ? weight / 255 : 0;
      into[at] = red;
      into[at + 1] = green;
      into[at + 2] = blue;
      into[at + 3] = strength > 0 ? Math.round(255 * (LEAST + (1 - LEAST) * strength)) : 0;
    }
}
