import { isEmpty, type Box } from "../raster/box";
import { boxShape, ellipseShape, polygonShape, type Point, type Shape } from "../raster/shapes";
import { boxOf, cellsShape, outlinePath, type Labels } from "../raster/labels";
import type { Stroke } from "../raster/stroke";
import type { Stage } from "../view/stage";
import type { Drawing } from "./drawing";
import type { Selecting } from "./selecting";
import { brushOf, paintOf, pressed, type ToolSettings } from "./settings";

export interface PointerHooks {
  readonly settings: () => ToolSettings;
  readonly drawing: () => Drawing | null;
  readonly selecting: () => Selecting;
  /** A place of the picture is pointed at, in shares of it. Gives whether that is all that was meant. */
  readonly picked: (at: Point) => boolean;
  readonly started: () => void;
  readonly progressed: () => void;
  readonly finished: (changed: boolean) => void;
  readonly windowed: (dx: number, dy: number) => void;
}

const CLOSE_ENOUGH = 9;
/** Two fingers that come down within this time are a pinch, and what the first one drew is taken back. */
const PINCH_MS = 250;

/**
 * Mouse, pen and fingers on the stage: draws strokes and shapes, pans, zooms, pinches, and drags the window.
 *
 * Once a pen was seen fingers only pan and pinch, so that a palm draws nothing.
 */
export class PointerInput {
  spaceHeld = false;
  private readonly ring = document.createElement("div");
  private readonly pointers = new Map<number, { x: number; y: number }>();
  private stroke: { pointer: number; stroke: Stroke; since: number } | null = null;
  private panning: number | null = null;
  private windowing: number | null = null;
  private shape: { pointer: number; from: Point; to: Point } | null = null;
  private corners: Point[] = [];
  private clicking: { pointer: number; at: Point; inside: boolean } | null = null;
  /** The superpixels that the stroke in progress filled: 1 for each of their cells. */
  private filled: Uint8Array | null = null;
  private hover: Point | null = null;
  /** The outline drawn last: while the pointer stays in it, it is not looked for again. */
  private path: { labels: Labels; label: number; d: string } | null = null;
  private penSeen = false;
  private readonly ending = new AbortController();

  constructor(
    private readonly stage: Stage,
    private readonly hooks: PointerHooks,
  ) {
    this.ring.className = "brush-ring";
    stage.element.append(this.ring);
    const on = <K extends keyof HTMLElementEventMap>(name: K, act: (event: HTMLElementEventMap[K]) => void) =>
      stage.element.addEventListener(name, act, { signal: this.ending.signal, passive: false });
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.up(event));
    on("pointercancel", (event) => this.up(event));
    on("pointerleave", () => {
      this.ring.classList.remove("is-shown");
      this.hover = null;
      this.showDraft();
    });
    on("dblclick", () => this.closePolygon());
    on("contextmenu", (event) => event.preventDefault());
    stage.onView = () => this.showDraft();
    on("wheel", (event) => {
      event.preventDefault();
      const pixels = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * 16 : event.deltaY;
      const factor = Math.exp(-Math.max(-240, Math.min(240, pixels)) * (event.ctrlKey ? 0.01 : 0.0018));
      stage.zoomBy(factor, stage.screenAt(event.clientX, event.clientY));
      this.showDraft();
      this.showRing(event);
    });
  }

  close(): void {
    this.stage.onView = () => undefined;
    this.endStroke();
    this.ending.abort();
    this.ring.remove();
  }

  get isDown(): boolean {
    return this.stroke !== null;
  }

  /** Leave a polygon or shape that is not finished. Gives whether there was one. */
  cancelShape(): boolean {
    const had = this.corners.length > 0 || this.shape !== null;
    this.corners = [];
    this.shape = null;
    this.showDraft();
    return had;
  }

  /** Fill the polygon drawn so far. Gives whether there was one. */
  closePolygon(): boolean {
    const corners = this.corners;
    this.corners = [];
    const drawing = this.hooks.drawing();
    if (corners.length >= 3 && drawing !== null) this.fill(polygonShape(drawing.mask, corners));
    this.showDraft();
    return corners.length > 0;
  }

  /** The tool or its size has changed. */
  toolChanged(): void {
    if (this.hooks.settings().tool !== "polygon") this.corners = [];
    this.showDraft();
    const { tool } = this.hooks.settings();
    this.stage.element.dataset.tool = this.spaceHeld ? "hand" : tool;
    if (this.hover !== null) this.placeRing(this.hover, 1);
  }

  private down(event: PointerEvent): void {
    if (event.pointerType === "pen") this.penSeen = true;
    (document.activeElement as HTMLElement | null)?.blur();
    event.preventDefault();
    this.stage.element.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (event.pointerType === "touch" && this.pointers.size >= 2) {
      this.beginPinch();
      return;
    }
    const { tool } = this.hooks.settings();
    const palm = event.pointerType === "touch" && this.penSeen;
    if (event.button === 1 || this.spaceHeld || palm || (event.button === 0 && tool === "hand"))
      this.panning = event.pointerId;
    else if (event.button === 0 && this.hooks.drawing() !== null && this.hooks.picked(this.shareOf(event))) return;
    else if (tool === "click" && (event.button === 0 || event.button === 2)) {
      const outside = event.button === 2 || event.altKey || this.hooks.selecting().outsideNext;
      this.clicking = { pointer: event.pointerId, at: this.shareOf(event), inside: !outside };
    } else if (event.button === 2 || (event.button === 0 && tool === "window")) this.windowing = event.pointerId;
    else if (event.button === 0 || event.button === 5) this.downWithTool(event);
  }

  private downWithTool(event: PointerEvent): void {
    const drawing = this.hooks.drawing();
    if (drawing === null) return;
    const settings = this.hooks.settings();
    const at = this.stage.cellsAt(event.clientX, event.clientY);
    if (settings.tool === "brush" || settings.tool === "pieces") {
      const { pieces } = this.hooks.selecting();
      if (settings.tool === "pieces" && pieces === null) return;
      const paint = event.button === 5 ? { kind: "unknown" as const, strength: 1 } : paintOf(settings);
      this.hooks.started();
      this.stroke = { pointer: event.pointerId, stroke: drawing.begin(paint), since: event.timeStamp };
      this.filled = settings.tool === "pieces" ? new Uint8Array(pieces!.values.length) : null;
      this.paintTo(event);
    } else if (settings.tool === "polygon") {
      const first = this.corners[0];
      const here = this.stage.onScreen(at);
      const start = first && this.stage.onScreen(first);
      if (start && this.corners.length >= 3 && Math.hypot(start.x - here.x, start.y - here.y) < CLOSE_ENOUGH)
        this.closePolygon();
      else this.corners.push(at);
    } else this.shape = { pointer: event.pointerId, from: at, to: at };
    this.showDraft();
  }

  private move(event: PointerEvent): void {
    const before = this.pointers.get(event.pointerId);
    this.hover = { x: event.clientX, y: event.clientY };
    this.showRing(event);
    if (before !== undefined) {
      const [dx, dy] = [event.clientX - before.x, event.clientY - before.y];
      if (this.pointers.size >= 2 && event.pointerType === "touch") this.pinch(event);
      this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (this.panning === event.pointerId) this.stage.panBy(dx, dy);
      if (this.windowing === event.pointerId) this.hooks.windowed(dx, dy);
    }
    if (this.stroke?.pointer === event.pointerId) {
      const passed = event.getCoalescedEvents?.() ?? [];
      for (const point of passed.length > 0 ? passed : [event]) this.paintTo(point);
      this.hooks.progressed();
    }
    if (this.shape?.pointer === event.pointerId) {
      const to = this.stage.cellsAt(event.clientX, event.clientY);
      const { from } = this.shape;
      const side = Math.max(Math.abs(to.x - from.x), Math.abs(to.y - from.y));
      this.shape.to = event.shiftKey
        ? { x: from.x + side * Math.sign(to.x - from.x), y: from.y + side * Math.sign(to.y - from.y) }
        : to;
    }
    const hovering = this.hooks.settings().tool === "pieces";
    if (this.shape !== null || this.corners.length > 0 || this.panning !== null || hovering) this.showDraft();
  }

  private up(event: PointerEvent): void {
    this.pointers.delete(event.pointerId);
    if (this.panning === event.pointerId) this.panning = null;
    if (this.windowing === event.pointerId) this.windowing = null;
    if (this.stroke?.pointer === event.pointerId) this.endStroke();
    const drawing = this.hooks.drawing();
    if (this.clicking?.pointer === event.pointerId) {
      const { at, inside } = this.clicking;
      this.clicking = null;
      const onPicture = at.x >= 0 && at.y >= 0 && at.x <= 1 && at.y <= 1;
      if (drawing !== null && onPicture && event.type === "pointerup") void this.hooks.selecting().click(at, inside);
    }
    if (this.shape?.pointer === event.pointerId) {
      const { from, to } = this.shape;
      this.shape = null;
      if (this.hooks.settings().tool === "snap") {
        if (drawing !== null) void this.hooks.selecting().box(this.asShare(from), this.asShare(to));
        return this.showDraft();
      }
      const make = this.hooks.settings().tool === "ellipse" ? ellipseShape : boxShape;
      if (drawing !== null && Math.abs(from.x - to.x) >= 1 && Math.abs(from.y - to.y) >= 1)
        this.fill(make(drawing.mask, from, to));
      this.showDraft();
    }
  }

  /** Forget a stroke that was finished elsewhere, as when another image is opened under the pen. */
  dropStroke(): void {
    this.stroke = null;
    this.filled = null;
  }

  /** Finish the stroke in progress: something else changes the drawing. */
  endStroke(): void {
    if (this.stroke === null) return;
    this.stroke = null;
    this.filled = null;
    this.hooks.finished(this.hooks.drawing()?.finish() ?? false);
  }

  private fill(shape: Shape): void {
    const drawing = this.hooks.drawing()!;
    this.hooks.started();
    const box = drawing.fill(shape, paintOf(this.hooks.settings()));
    this.stage.refresh(box);
    this.hooks.finished(!isEmpty(box));
  }

  private paintTo(event: PointerEvent): void {
    const { mask } = this.hooks.drawing()!;
    if (this.filled !== null) return this.fillPiece(this.filled, event);
    const at = this.stage.cellsAt(event.clientX, event.clientY);
    const brush = brushOf(this.hooks.settings(), Math.max(mask.width, mask.height));
    this.stage.refresh(this.stroke!.stroke.moveTo(at.x, at.y, pressed(brush, event.pointerType, event.pressure)));
  }

  /** Fill the superpixel under the pointer. What the stroke filled before counts for its edge, so that no gap is left. */
  private fillPiece(filled: Uint8Array, event: PointerEvent): void {
    const selecting = this.hooks.selecting();
    const piece = selecting.pieceAt(this.shareOf(event));
    const { pieces } = selecting;
    if (piece === null || pieces === null || pieces.values.length !== filled.length) return;
    const box = boxOf(pieces, piece);
    if (!markPiece(pieces.values, piece, filled, box, pieces.width)) return;
    const { box: part, coverageAt } = cellsShape(pieces, (place) => filled[place] === 1, this.hooks.drawing()!.mask, box);
    this.stage.refresh(this.stroke!.stroke.lay(part, coverageAt));
  }

  private shareOf(event: { clientX: number; clientY: number }): Point {
    return this.asShare(this.stage.cellsAt(event.clientX, event.clientY));
  }

  private asShare(cell: Point): Point {
    const { width, height } = this.hooks.drawing()!.mask;
    return { x: cell.x / width, y: cell.y / height };
  }

  private beginPinch(): void {
    if (this.stroke !== null) {
      const young = performance.now() - this.stroke.since < PINCH_MS;
      if (young) {
        this.stage.refresh(this.hooks.drawing()!.cancel());
        this.stroke = null;
        this.filled = null;
        this.hooks.finished(false);
      } else this.endStroke();
    }
    this.panning = null;
    this.shape = null;
    this.clicking = null;
    if (this.corners.length === 1) this.corners = [];
    this.showDraft();
  }

  private pinch(event: PointerEvent): void {
    const [first, second] = [...this.pointers.keys()];
    const other = this.pointers.get(event.pointerId === first ? second! : first!)!;
    const old = this.pointers.get(event.pointerId)!;
    const centre = (p: { x: number; y: number }) => this.stage.screenAt((p.x + other.x) / 2, (p.y + other.y) / 2);
    const span = (p: { x: number; y: number }) => Math.max(1, Math.hypot(p.x - other.x, p.y - other.y));
    const now = { x: event.clientX, y: event.clientY };
    this.stage.panBy((now.x - old.x) / 2, (now.y - old.y) / 2);
    this.stage.zoomBy(span(now) / span(old), centre(now));
  }

  private showRing(event: { clientX: number; clientY: number; pointerType?: string; pressure?: number }): void {
    const down = this.stroke !== null && event.pointerType === "pen";
    this.placeRing({ x: event.clientX, y: event.clientY }, down ? 0.25 + 0.75 * (event.pressure || 1) : 1);
  }

  private placeRing(client: Point, factor: number): void {
    const settings = this.hooks.settings();
    const drawing = this.hooks.drawing();
    const shown = settings.tool === "brush" && drawing !== null && !this.spaceHeld && this.panning === null;
    this.ring.classList.toggle("is-shown", shown);
    if (!shown) return;
    const longSide = Math.max(drawing.mask.width, drawing.mask.height);
    const radius = Math.max(2, brushOf(settings, longSide).radius * this.stage.view.scale * factor);
    const at = this.stage.screenAt(client.x, client.y);
    this.ring.dataset.ink = settings.ink;
    this.ring.style.width = this.ring.style.height = `${2 * radius}px`;
    this.ring.style.transform = `translate(${at.x - radius}px, ${at.y - radius}px)`;
  }

  /** Draw anew what is not drawn yet: shapes, outlines of what was found, clicks. */
  showDraft(): void {
    const draft = this.stage.draft;
    draft.replaceChildren();
    const { ink, tool } = this.hooks.settings();
    draft.dataset.ink = ink;
    const add = (name: string, attributes: Record<string, number | string>) => {
      const node = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
      draft.append(node);
    };
    if (this.shape !== null) {
      const [a, b] = [this.stage.onScreen(this.shape.from), this.stage.onScreen(this.shape.to)];
      const [x, y, width, height] = [Math.min(a.x, b.x), Math.min(a.y, b.y), Math.abs(a.x - b.x), Math.abs(a.y - b.y)];
      if (tool === "ellipse")
        add("ellipse", { cx: x + width / 2, cy: y + height / 2, rx: width / 2, ry: height / 2 });
      else add("rect", { x, y, width, height });
    }
    this.showSelection(add);
    if (this.corners.length > 0) {
      const corners = this.corners.map((corner) => this.stage.onScreen(corner));
      const end = this.hover === null ? [] : [this.stage.screenAt(this.hover.x, this.hover.y)];
      add("polygon", { points: [...corners, ...end].map((point) => `${point.x},${point.y}`).join(" ") });
      corners.forEach((corner, i) => add("circle", { cx: corner.x, cy: corner.y, r: i === 0 ? 6 : 3 }));
    }
  }

  private showSelection(add: (name: string, attributes: Record<string, number | string>) => void): void {
    const drawing = this.hooks.drawing();
    if (drawing === null) return;
    const { tool } = this.hooks.settings();
    const { pieces, found, clicks } = this.hooks.selecting();
    const { width, height } = drawing.mask;
    const outline = (grid: { width: number; height: number }, path: string) => {
      const { x, y, scale } = this.stage.view;
      const transform = `translate(${x} ${y}) scale(${(scale * width) / grid.width} ${(scale * height) / grid.height})`;
      for (const part of ["is-outline-ground", "is-outline"]) add("path", { d: path, transform, class: part });
    };
    if (tool === "pieces" && pieces !== null && this.hover !== null && !this.spaceHeld) {
      const piece = this.hooks.selecting().pieceAt(this.shareOf({ clientX: this.hover.x, clientY: this.hover.y }));
      if (piece !== null) outline(pieces, this.pathOf(pieces, piece));
    }
    if (found !== null) outline(found, this.pathOf(found, 1));
    for (const click of clicks) {
      const at = this.stage.onScreen({ x: click.x * width, y: click.y * height });
      add("circle", { cx: at.x, cy: at.y, r: 6, class: "is-click" });
      add("path", { d: `M${at.x - 3} ${at.y}h6${click.inside ? `M${at.x} ${at.y - 3}v6` : ""}`, class: "is-sign" });
    }
  }

  private pathOf(labels: Labels, label: number): string {
    if (this.path?.labels !== labels || this.path.label !== label)
      this.path = { labels, label, d: outlinePath(labels, (place) => labels.values[place] === label) };
    return this.path.d;
  }
}

/** Mark the cells of a piece. Gives whether they were not yet. */
function markPiece(values: Uint16Array, piece: number, filled: Uint8Array, box: Box, width: number): boolean {
  let fresh = false;
  for (let y = box.top; y < box.bottom; y++)
    for (let place = y * width + box.left; place < y * width + box.right; place++)
      if (values[place] === piece && filled[place] === 0) {
        filled[place] = 1;
        fresh = true;
      }
  return fresh;
}
