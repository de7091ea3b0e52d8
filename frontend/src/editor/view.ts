/** Where the picture lies in the window: a picture cell (x, y) is shown at (left + scale * x, top + scale * y). */
export interface View {
  left: number;
  top: number;
  scale: number;
}

const MIN_SCALE = 0.05;
const MAX_SCALE = 64;

/** The view that shows the whole picture in the middle of the window. */
export function fit(width: number, height: number, windowWidth: number, windowHeight: number): View {
  const scale = Math.min(windowWidth / width, windowHeight / height) * 0.96;
  return { left: (windowWidth - scale * width) / 2, top: (windowHeight - scale * height) / 2, scale };
}

/** Zoom by `factor` so that what lies at (x, y) of the window stays there. */
export function zoomAt(view: View, x: number, y: number, factor: number): View {
  const scale = Math.min(MAX_SCALE, Math.max(MIN_SCALE, view.scale * factor));
  const share = scale / view.scale;
  return { left: x - (x - view.left) * share, top: y - (y - view.top) * share, scale };
}

/** The picture cell shown at (x, y) of the window. */
export function cellAt(view: View, x: number, y: number): { x: number; y: number } {
  return { x: (x - view.left) / view.scale, y: (y - view.top) / view.scale };
}
