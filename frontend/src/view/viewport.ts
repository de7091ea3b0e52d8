import type { Box, Size } from "../raster/box";
import type { Point } from "../raster/shapes";

/** Where the picture lies on the screen: screen = picture * scale + (x, y). */
export interface Viewport {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

const MOST_PIXELS_PER_CELL = 40;

/** The whole picture, centred, with a margin. */
export function fit(picture: Size, screen: Size, margin = 12): Viewport {
  const scale = Math.max(
    0.01,
    Math.min((screen.width - 2 * margin) / picture.width, (screen.height - 2 * margin) / picture.height),
  );
  return {
    scale,
    x: (screen.width - picture.width * scale) / 2,
    y: (screen.height - picture.height * scale) / 2,
  };
}

/** The size at which the long side is `longest`. */
export function sizeWithin(size: Size, longest: number): Size {
  const scale = longest / Math.max(size.width, size.height);
  return { width: Math.max(1, Math.round(size.width * scale)), height: Math.max(1, Math.round(size.height * scale)) };
}

export function toPicture(view: Viewport, at: Point): Point {
  return { x: (at.x - view.x) / view.scale, y: (at.y - view.y) / view.scale };
}

export function toScreen(view: Viewport, at: Point): Point {
  return { x: at.x * view.scale + view.x, y: at.y * view.scale + view.y };
}

export function boxOnScreen(view: Viewport, box: Box): Box {
  return {
    left: box.left * view.scale + view.x,
    top: box.top * view.scale + view.y,
    right: box.right * view.scale + view.x,
    bottom: box.bottom * view.scale + view.y,
  };
}

/** Zoom by `factor` so that what is under `at` stays there, between half of `fitted` and 40 pixels a cell. */
export function zoomAt(view: Viewport, at: Point, factor: number, fitted: Viewport): Viewport {
  const most = Math.max(MOST_PIXELS_PER_CELL, fitted.scale * 4);
  const scale = Math.min(most, Math.max(fitted.scale / 2, view.scale * factor));
  const under = toPicture(view, at);
  return { scale, x: at.x - under.x * scale, y: at.y - under.y * scale };
}

export function pan(view: Viewport, dx: number, dy: number): Viewport {
  return { ...view, x: view.x + dx, y: view.y + dy };
}

/** Keep a part of the picture in sight. */
export function keepInSight(view: Viewport, picture: Size, screen: Size, least = 60): Viewport {
  const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);
  return {
    scale: view.scale,
    x: clamp(view.x, least - picture.width * view.scale, screen.width - least),
    y: clamp(view.y, least - picture.height * view.scale, screen.height - least),
  };
}
