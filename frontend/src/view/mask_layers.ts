import { clipTo, isEmpty, type Box } from "../raster/box";
import type { Mask } from "../raster/mask";
import { tilesOf } from "../raster/tiles";
import { IRRELEVANT_RGB, tintPixels } from "../raster/tint";

type Kind = "relevant" | "irrelevant";
const KINDS: readonly Kind[] = ["relevant", "irrelevant"];
/** How much of the tint and of the hatching is seen. Irrelevant is often nearly everything, and must not hide the picture. */
const TINT: Record<Kind, number> = { relevant: 0.42, irrelevant: 0.2 };
const HATCHING: Record<Kind, number> = { relevant: 1, irrelevant: 0.75 };
/** Device pixels a cell. */
const SQUARES_FROM = 20;
const ROWS_AT_ONCE = 256;
/** Cells on a side of the blocks of which is known whether they have a kind at all. */
const BLOCK = 256;

/** The mask as two coloured layers at picture resolution; only what changed is painted again. */
export class MaskLayers {
  private readonly layers: Record<Kind, HTMLCanvasElement>;
  /** Blocks that may have cells of a kind; one that lost them all stays. */
  private readonly filled: Record<Kind, Set<number>> = { relevant: new Set(), irrelevant: new Set() };

  constructor(private readonly mask: Mask) {
    this.layers = { relevant: layerOf(mask), irrelevant: layerOf(mask) };
    this.update({ left: 0, top: 0, right: mask.width, bottom: mask.height });
  }

  update(box: Box): void {
    for (let top = box.top; top < box.bottom; top += ROWS_AT_ONCE) {
      const part = { ...box, top, bottom: Math.min(box.bottom, top + ROWS_AT_ONCE) };
      for (const kind of KINDS) {
        const context = this.layers[kind].getContext("2d")!;
        const pixels = context.createImageData(part.right - part.left, part.bottom - part.top);
        const any = tintPixels(this.mask, part, kind, pixels.data);
        if (any) for (const block of tilesOf(this.mask, part, BLOCK)) this.filled[kind].add(block);
        else if (!this.has(kind, part)) continue;
        context.putImageData(pixels, part.left, part.top);
      }
    }
  }

  /**
   * Draw both layers into `context` within `clip` (device pixels): a light tint, and hatching that tells the kinds apart
   * without colour. `scratch` is a canvas of the same size as the context's.
   */
  draw(context: CanvasRenderingContext2D, scratch: HTMLCanvasElement, clip: Box, place: Box, opacity: number): void {
    const [width, height] = [clip.right - clip.left, clip.bottom - clip.top];
    if (isEmpty(clip)) return;
    const work = scratch.getContext("2d")!;
    const scale = (place.right - place.left) / this.mask.width;
    // Only the part of the layer that can be seen is handed over.
    const part = clipTo(
      this.mask.width,
      this.mask.height,
      (clip.left - place.left) / scale - 1,
      (clip.top - place.top) / scale - 1,
      (clip.right - place.left) / scale + 1,
      (clip.bottom - place.top) / scale + 1,
    );
    if (isEmpty(part)) return;
    const rectangle = [
      part.left, part.top, part.right - part.left, part.bottom - part.top,
      place.left + part.left * scale, place.top + part.top * scale,
      (part.right - part.left) * scale, (part.bottom - part.top) * scale,
    ] as const;
    for (const kind of KINDS) {
      if (!this.has(kind, part)) continue;
      work.save();
      work.beginPath();
      work.rect(clip.left, clip.top, width, height);
      work.clip();
      work.clearRect(clip.left, clip.top, width, height);
      work.imageSmoothingEnabled = scale < SQUARES_FROM;
      work.drawImage(this.layers[kind], ...rectangle);
      context.globalAlpha = TINT[kind] * opacity;
      context.drawImage(scratch, clip.left, clip.top, width, height, clip.left, clip.top, width, height);
      work.globalCompositeOperation = "source-in";
      work.fillStyle = hatching(kind, context);
      work.fillRect(clip.left, clip.top, width, height);
      work.restore();
      context.globalAlpha = HATCHING[kind] * opacity;
      context.drawImage(scratch, clip.left, clip.top, width, height, clip.left, clip.top, width, height);
    }
    context.globalAlpha = 1;
  }

  private has(kind: Kind, box: Box): boolean {
    return this.filled[kind].size > 0 && tilesOf(this.mask, box, BLOCK).some((block) => this.filled[kind].has(block));
  }
}

function layerOf(mask: Mask): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = mask.width;
  canvas.height = mask.height;
  return canvas;
}

const patterns = new Map<string, CanvasPattern>();

/** Relevant: fine lines rising to the right. Irrelevant: dark and light lines falling to the right, far apart. */
function hatching(kind: Kind, context: CanvasRenderingContext2D): CanvasPattern {
  const ratio = Math.max(1, Math.round(window.devicePixelRatio || 1));
  const name = `${kind} ${ratio}`;
  const kept = patterns.get(name);
  if (kept !== undefined) return kept;
  const side = (kind === "relevant" ? 9 : 28) * ratio;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const work = canvas.getContext("2d")!;
  const line = (offset: number, width: number, style: string) => {
    work.strokeStyle = style;
    work.lineWidth = width * ratio;
    work.beginPath();
    for (const shift of [-side, 0, side]) {
      const x = shift + offset * ratio;
      if (kind === "relevant") {
        work.moveTo(x - side, 2 * side);
        work.lineTo(x + 2 * side, -side);
      } else {
        work.moveTo(x - side, -side);
        work.lineTo(x + 2 * side, 2 * side);
      }
    }
    work.stroke();
  };
  if (kind === "relevant") {
    line(0, 1.8, "rgb(120 255 238 / 0.9)");
    line(2.2, 1.2, "rgb(2 40 36 / 0.5)");
  } else {
    line(0, 2, `rgb(${IRRELEVANT_RGB.join(" ")} / 0.95)`);
    line(2.2, 1.4, "rgb(20 12 4 / 0.75)");
  }
  const pattern = context.createPattern(canvas, "repeat")!;
  patterns.set(name, pattern);
  return pattern;
}
