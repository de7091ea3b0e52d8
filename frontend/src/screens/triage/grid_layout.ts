/** How thumbs lie in a grid of a given width. */
export interface Grid {
  readonly columns: number;
  readonly cellWidth: number;
  readonly rowHeight: number;
  readonly gap: number;
  readonly height: number;
}

const LEAST_WIDTH = 168;
const GAP = 12;
const CAPTION = 52;
const ROWS_BEYOND = 2;

export function gridOf(width: number, total: number): Grid {
  const columns = Math.max(1, Math.floor((width + GAP) / (LEAST_WIDTH + GAP)));
  const cellWidth = Math.max(LEAST_WIDTH / 2, Math.floor((width - GAP * (columns - 1)) / columns));
  const rowHeight = cellWidth + CAPTION + GAP;
  return { columns, cellWidth, rowHeight, gap: GAP, height: Math.max(0, Math.ceil(total / columns) * rowHeight - GAP) };
}

/** The rows that are seen, and a few beyond; `last` is not one of them. */
export function rowsInSight(grid: Grid, top: number, height: number): { first: number; last: number } {
  return {
    first: Math.max(0, Math.floor(top / grid.rowHeight) - ROWS_BEYOND),
    last: Math.ceil((top + height) / grid.rowHeight) + ROWS_BEYOND,
  };
}

/** Where a key moves the choice to; null if it moves nothing. */
export function movedBy(key: string, place: number, total: number, columns: number, rows: number): number | null {
  const steps: Record<string, number> = {
    ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -columns * rows, PageDown: columns * rows,
    Home: -place, End: total - 1 - place,
  };
  const moved = steps[key];
  if (moved === undefined || total === 0) return null;
  const wanted = place + moved;
  // An arrow down from the last full row goes to the last image, never beyond.
  return Math.min(total - 1, Math.max(0, wanted));
}
