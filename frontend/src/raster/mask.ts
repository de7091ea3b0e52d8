import { type Box, clip } from "./box";

/** The whole of importance and of trust, as in the stored form. */
export const FULL_TARGET = 65535;
export const FULL_WEIGHT = 255;

/** What a tool leaves behind in a cell. */
export type Mark = "relevant" | "irrelevant" | "unknown";

/**
 * An edit while it is drawn: of each cell, how relevant it is (`target`, 0 to 65535) and how far that is known
 * (`weight`, 0 to 255; 0 is unknown). Known with target 0 is irrelevant. Row by row, as the server stores it.
 */
export class Mask {
  constructor(
    readonly width: number,
    readonly height: number,
    readonly target = new Uint16Array(width * height),
    readonly weight = new Uint8Array(width * height),
  ) {
    if (target.length !== width * height || weight.length !== width * height) {
      throw new RangeError(`a mask of ${width} x ${height} needs ${width * height} cells`);
    }
  }

  get isEmpty(): boolean {
    return !this.weight.some((weight) => weight > 0);
  }
}

/**
 * Set one cell to `mark`. `strength` (0 to 1) is the importance of a relevant cell; `cover` (0 to 1), how much of the
 * cell the tool covers, is from how far a soft edge reaches: a cell is only ever raised by it, so that strokes that
 * cross do not thin each other out.
 */
export function setCell(mask: Mask, at: number, mark: Mark, strength: number, cover: number): void {
  if (mark === "relevant") {
    const value = Math.round(FULL_TARGET * strength * cover);
    if (value === 0) return;
    mask.target[at] = cover < 1 && mask.weight[at] > 0 ? Math.max(mask.target[at], value) : value;
    mask.weight[at] = FULL_WEIGHT;
  } else if (cover >= 0.5) {
    mask.target[at] = 0;
    mask.weight[at] = mark === "irrelevant" ? FULL_WEIGHT : 0;
  }
}

/** How a brush paints: `radius` in cells; `softness` (0 to 1) is the outer share of the radius that fades out. */
export interface Brush {
  mark: Mark;
  radius: number;
  softness: number;
  strength: number;
}

/** Paint the stretch from (ax, ay) to (bx, by); gives the touched box, or null outside the picture. */
export function paintStretch(
  mask: Mask,
  ax: number,
  ay: number,
  bx: number,
  by: number,
  brush: Brush,
): Box | null {
  const reach = Math.max(brush.radius, 0.5);
  const around = {
    x0: Math.min(ax, bx) - reach,
    y0: Math.min(ay, by) - reach,
    x1: Math.max(ax, bx) + reach,
    y1: Math.max(ay, by) + reach,
  };
  const box = clip(around, mask.width, mask.height);
  if (!box) return null;
  const dx = bx - ax;
  const dy = by - ay;
  const length = dx * dx + dy * dy;
  const hard = reach * (1 - brush.softness);
  for (let y = box.y0; y < box.y1; y++) {
    for (let x = box.x0; x < box.x1; x++) {
      const px = x + 0.5 - ax;
      const py = y + 0.5 - ay;
      const along = length > 0 ? Math.min(1, Math.max(0, (px * dx + py * dy) / length)) : 0;
      const distance = Math.hypot(px - along * dx, py - along * dy);
      if (distance > reach) continue;
      const cover = distance <= hard ? 1 : (reach - distance) / (reach - hard);
      setCell(mask, y * mask.width + x, brush.mark, brush.strength, cover);
    }
  }
  return box;
}

/** A corner of a polygon, in cells. */
export interface Point {
  x: number;
  y: number;
}

/** Fill a polygon by the even-odd rule, at the cells' middles; gives the touched box. */
export function fillPolygon(mask: Mask, corners: readonly Point[], mark: Mark, strength: number): Box | null {
  if (corners.length < 3) return null;
  const xs = corners.map((corner) => corner.x);
  const ys = corners.map((corner) => corner.y);
  const around = { x0: Math.min(...xs), y0: Math.min(...ys), x1: Math.max(...xs), y1: Math.max(...ys) };
  const box = clip(around, mask.width, mask.height);
  if (!box) return null;
  for (let y = box.y0; y < box.y1; y++) {
    const middle = y + 0.5;
    const crossings: number[] = [];
    corners.forEach((a, index) => {
      const b = corners[(index + 1) % corners.length];
      if (a.y <= middle !== b.y <= middle) crossings.push(a.x + ((middle - a.y) / (b.y - a.y)) * (b.x - a.x));
    });
    crossings.sort((a, b) => a - b);
    for (let pair = 0; pair + 1 < crossings.length; pair += 2) {
      const from = Math.max(box.x0, Math.ceil(crossings[pair] - 0.5));
      const to = Math.min(box.x1, Math.ceil(crossings[pair + 1] - 0.5));
      for (let x = from; x < to; x++) setCell(mask, y * mask.width + x, mark, strength, 1);
    }
  }
  return box;
}

/** Fill the ellipse in a box given by two corners; gives the touched box. */
export function fillEllipse(mask: Mask, a: Point, b: Point, mark: Mark, strength: number): Box | null {
  const box = clip(boxBetween(a, b), mask.width, mask.height);
  if (!box) return null;
  const cx = (a.x + b.x) / 2;
  const cy = (a.y + b.y) / 2;
  const rx = Math.max(Math.abs(a.x - b.x) / 2, 0.5);
  const ry = Math.max(Math.abs(a.y - b.y) / 2, 0.5);
  for (let y = box.y0; y < box.y1; y++) {
    for (let x = box.x0; x < box.x1; x++) {
      const inside = ((x + 0.5 - cx) / rx) ** 2 + ((y + 0.5 - cy) / ry) ** 2 <= 1;
      if (inside) setCell(mask, y * mask.width + x, mark, strength, 1);
    }
  }
  return box;
}

/** Fill the box between two corners; gives the touched box. */
export function fillBox(mask: Mask, a: Point, b: Point, mark: Mark, strength: number): Box | null {
  const box = clip(boxBetween(a, b), mask.width, mask.height);
  if (!box) return null;
  for (let y = box.y0; y < box.y1; y++) {
    for (let x = box.x0; x < box.x1; x++) setCell(mask, y * mask.width + x, mark, strength, 1);
  }
  return box;
}

function boxBetween(a: Point, b: Point): Box {
  return { x0: Math.min(a.x, b.x), y0: Math.min(a.y, b.y), x1: Math.max(a.x, b.x), y1: Math.max(a.y, b.y) };
}
