import { detailOf } from "../api/errors";
import type { Select } from "../api/messages";
import { kindAt, type Mask } from "../raster/mask";
import { placeAt, type Labels } from "../raster/labels";
import type { Point } from "../raster/shapes";

/** Who finds superpixels and objects. */
export interface Finder {
  superpixels(key: number, count: number, signal: AbortSignal): Promise<Labels>;
  select(key: number, wanted: Select, signal: AbortSignal): Promise<Labels>;
}

export interface Click extends Point {
  readonly inside: boolean;
}

/** Below this nobody needs to be told that something is being looked for. */
const SLOW_MS = 150;

/** The superpixels of one image, and the object that is proposed but not drawn yet. Points are in shares of the picture. */
export class Selecting {
  pieces: Labels | null = null;
  found: Labels | null = null;
  clicks: readonly Click[] = [];
  /** The object was looked for from the drawing, which it is to replace. */
  fromDrawing = false;
  outsideNext = false;
  slow = false;
  private counted = 0;
  private gettingPieces: AbortController | null = null;
  private asking: AbortController | null = null;

  constructor(
    private readonly key: number,
    private readonly finder: Finder,
    private readonly tell: () => void,
    private readonly say: (text: string) => void,
  ) {}

  /** Get about `count` superpixels, if they are not here. */
  async needPieces(count: number): Promise<Labels | null> {
    if (this.counted === count) return this.pieces;
    this.counted = count;
    this.gettingPieces?.abort();
    const asked = (this.gettingPieces = new AbortController());
    try {
      const pieces = await this.finder.superpixels(this.key, count, asked.signal);
      if (asked.signal.aborted) return this.pieces;
      this.pieces = pieces;
      this.tell();
    } catch (error) {
      if (asked.signal.aborted) return this.pieces;
      this.counted = 0;
      this.say(detailOf(error));
    }
    return this.pieces;
  }

  /** A click on the object, or beside it. */
  click(at: Point, inside: boolean): Promise<void> {
    if (!inside && this.clicks.length === 0) {
      this.say("Click on the object first, then on what does not belong to it");
      return Promise.resolve();
    }
    const before = this.clicks;
    this.clicks = [...before, { ...at, inside }];
    return this.ask({ points: [...this.clicks] }, () => (this.clicks = before));
  }

  /** A box from one corner to another. */
  box(a: Point, b: Point, sketch?: string): Promise<void> {
    const share = (value: number) => Math.min(1, Math.max(0, value));
    const box = {
      left: share(Math.min(a.x, b.x)), top: share(Math.min(a.y, b.y)),
      right: share(Math.max(a.x, b.x)), bottom: share(Math.max(a.y, b.y)),
    };
    if (box.left >= box.right || box.top >= box.bottom) return Promise.resolve();
    this.fromDrawing = sketch !== undefined;
    return this.ask({ points: [], box, ...(sketch === undefined ? {} : { sketch }) }, () => undefined);
  }

  /** Look for the object that is roughly drawn as relevant. */
  async drawn(mask: Mask, count: number): Promise<void> {
    const grid = await this.needPieces(count);
    if (grid === null) return;
    const sketch = sketchOf(mask, grid);
    if (sketch === null) return this.say("Draw the object roughly as relevant first, or drag a box round it");
    await this.box(sketch.from, sketch.to, sketch.bits);
  }

  /** Leave what is proposed. Gives whether there was something. */
  cancel(): boolean {
    const had = this.clicks.length > 0 || this.found !== null || this.asking !== null;
    this.asking?.abort();
    this.asking = null;
    this.clicks = [];
    this.found = null;
    this.slow = this.outsideNext = this.fromDrawing = false;
    if (had) this.tell();
    return had;
  }

  /** The superpixel at a place of the picture; null where there is none. */
  pieceAt(at: Point): number | null {
    const place = this.pieces === null ? null : placeAt(this.pieces, { width: 1, height: 1 }, at.x, at.y);
    return place === null ? null : this.pieces!.values[place]!;
  }

  private async ask(wanted: Select, failed: () => void): Promise<void> {
    this.asking?.abort();
    const asked = (this.asking = new AbortController());
    const late = setTimeout(() => {
      this.slow = true;
      this.tell();
    }, SLOW_MS);
    this.tell();
    try {
      const found = await this.finder.select(this.key, wanted, asked.signal);
      if (asked.signal.aborted) return;
      const share = found.values.reduce((sum, value) => sum + value, 0) / found.values.length;
      this.found = share > 0 ? found : null;
      this.say(share > 0 ? `Found: ${percentOf(share)} of the picture. Enter draws it, Esc leaves it.` : "Nothing stands out there");
    } catch (error) {
      if (asked.signal.aborted) return;
      failed();
      this.say(detailOf(error));
    } finally {
      clearTimeout(late);
      if (this.asking === asked) {
        this.asking = null;
        this.slow = false;
        this.tell();
      }
    }
  }
}

function percentOf(share: number): string {
  return share < 0.01 ? "under 1 %" : `${Math.round(100 * share)} %`;
}

/** The relevant cells as bits of a coarser grid, and a box with some room round them; null where nothing is relevant. */
export function sketchOf(mask: Mask, grid: { width: number; height: number }): { bits: string; from: Point; to: Point } | null {
  const bytes = new Uint8Array((grid.width * grid.height + 7) >> 3);
  let [left, top, right, bottom] = [grid.width, grid.height, 0, 0];
  for (let y = 0; y < grid.height; y++)
    for (let x = 0; x < grid.width; x++) {
      const row = Math.floor(((y + 0.5) * mask.height) / grid.height);
      const cell = row * mask.width + Math.floor(((x + 0.5) * mask.width) / grid.width);
      if (kindAt(mask, cell) !== "relevant") continue;
      const place = y * grid.width + x;
      bytes[place >> 3]! |= 128 >> (place & 7);
      [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x + 1), Math.max(bottom, y + 1)];
    }
  if (right === 0) return null;
  const [roomX, roomY] = [0.15 * (right - left), 0.15 * (bottom - top)];
  return {
    bits: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")),
    from: { x: (left - roomX) / grid.width, y: (top - roomY) / grid.height },
    to: { x: (right + roomX) / grid.width, y: (bottom + roomY) / grid.height },
  };
}
