import type { Box } from "./box";
import { FULL_TARGET, type Mask } from "./mask";

/** Relevant is blue-green with strokes rising to the right, irrelevant orange with strokes falling: told apart without colour. */
const COLOURS = { relevant: [0, 190, 170], irrelevant: [255, 140, 40] } as const;
const STRIPES_ACROSS = 48;
const FILL_OPACITY = { relevant: 90, irrelevant: 30 };
const STRIPE_OPACITY = { relevant: 200, irrelevant: 120 };

/** The cells of `box` as RGBA pixels, row by row: nothing where the mask is unknown. */
export function maskPixels(mask: Mask, box: Box): Uint8ClampedArray<ArrayBuffer> {
  const wide = box.x1 - box.x0;
  const pixels = new Uint8ClampedArray(4 * wide * (box.y1 - box.y0));
  const stripe = Math.max(5, Math.round(Math.max(mask.width, mask.height) / STRIPES_ACROSS));
  const line = Math.max(1, Math.round(stripe / 6));
  let out = 0;
  for (let y = box.y0; y < box.y1; y++) {
    for (let x = box.x0; x < box.x1; x++, out += 4) {
      const at = y * mask.width + x;
      if (mask.weight[at] === 0) continue;
      const importance = mask.target[at];
      const kind = importance > 0 ? "relevant" : "irrelevant";
      const colour = COLOURS[kind];
      const across = importance > 0 ? x + y : x - y;
      const striped = ((across % stripe) + stripe) % stripe < line;
      const share = importance > 0 ? 0.25 + (0.75 * importance) / FULL_TARGET : 1;
      pixels[out] = colour[0];
      pixels[out + 1] = colour[1];
      pixels[out + 2] = colour[2];
      pixels[out + 3] = (striped ? STRIPE_OPACITY : FILL_OPACITY)[kind] * share;
    }
  }
  return pixels;
}

/** Repaint only `box` of the layer that shows the mask. */
export function repaint(layer: CanvasRenderingContext2D, mask: Mask, box: Box): void {
  const image = new ImageData(maskPixels(mask, box), box.x1 - box.x0);
  layer.putImageData(image, box.x0, box.y0);
}
