/** A rectangle of cells: left and top are in it, right and bottom are not. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Of a raster or a screen. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

export const NOTHING: Box = { left: 0, top: 0, right: 0, bottom: 0 };

export function isEmpty(box: Box): boolean {
  return box.right <= box.left || box.bottom <= box.top;
}

/** The smallest box with both in it; an empty one adds nothing. */
export function union(a: Box, b: Box): Box {
  if (isEmpty(a)) return b;
  if (isEmpty(b)) return a;
  return {
    left: Math.min(a.left, b.left),
    top: Math.min(a.top, b.top),
    right: Math.max(a.right, b.right),
    bottom: Math.max(a.bottom, b.bottom),
  };
}

/** The cells that touch the rectangle from (left, top) to (right, bottom), within a raster. */
export function clipTo(width: number, height: number, left: number, top: number, right: number, bottom: number): Box {
  const box = {
    left: Math.max(0, Math.floor(left)),
    top: Math.max(0, Math.floor(top)),
    right: Math.min(width, Math.ceil(right)),
    bottom: Math.min(height, Math.ceil(bottom)),
  };
  return isEmpty(box) ? NOTHING : box;
}
