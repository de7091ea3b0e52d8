import { clipTo, type Box, type Size } from "./box";

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A filled shape: where it can be, and the coverage (0 or 255) of each cell by its centre. */
export interface Shape {
  readonly box: Box;
  readonly coverageAt: (x: number, y: number) => number;
}

export function boxShape(size: Size, a: Point, b: Point): Shape {
  const [left, right] = [Math.min(a.x, b.x), Math.max(a.x, b.x)];
  const [top, bottom] = [Math.min(a.y, b.y), Math.max(a.y, b.y)];
  return {
    box: clipTo(size.width, size.height, left, top, right, bottom),
    coverageAt: (x, y) => (x + 0.5 >= left && x + 0.5 < right && y + 0.5 >= top && y + 0.5 < bottom ? 255 : 0),
  };
}

/** The ellipse within the box from `a` to `b`. */
export function ellipseShape(size: Size, a: Point, b: Point): Shape {
  const [centreX, centreY] = [(a.x + b.x) / 2, (a.y + b.y) / 2];
  const [radiusX, radiusY] = [Math.abs(a.x - b.x) / 2, Math.abs(a.y - b.y) / 2];
  return {
    box: clipTo(size.width, size.height, centreX - radiusX, centreY - radiusY, centreX + radiusX, centreY + radiusY),
    coverageAt: (x, y) => {
      const dx = (x + 0.5 - centreX) / radiusX;
      const dy = (y + 0.5 - centreY) / radiusY;
      return dx * dx + dy * dy <= 1 ? 255 : 0;
    },
  };
}

/** The inside of a polygon by the even-odd rule; the last corner is joined to the first. */
export function polygonShape(size: Size, corners: readonly Point[]): Shape {
  const xs = corners.map((corner) => corner.x);
  const ys = corners.map((corner) => corner.y);
  const box = clipTo(size.width, size.height, Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys));
  let row = -1;
  let crossings: number[] = [];
  return {
    box,
    coverageAt: (x, y) => {
      if (y !== row) {
        row = y;
        crossings = crossingsAt(corners, y + 0.5);
      }
      let inside = false;
      for (const crossing of crossings) if (crossing <= x + 0.5) inside = !inside;
      return inside ? 255 : 0;
    },
  };
}

function crossingsAt(corners: readonly Point[], y: number): number[] {
  const crossings: number[] = [];
  corners.forEach((a, i) => {
    const b = corners[(i + 1) % corners.length]!;
    if (a.y <= y !== b.y <= y) crossings.push(a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x));
  });
  return crossings;
}
