import { useEffect, useRef } from "preact/hooks";
import { type ColourMap, colourTable } from "../colour/maps";
import type { Box } from "../raster/box";
import { type HeatMap, heatPixels } from "../raster/heat";
import type { Brush, Mark, Point } from "../raster/mask";
import { repaint } from "../raster/paint";
import type { Drawer, Shape } from "./drawing";
import { cellAt, fit, type View, zoomAt } from "./view";

/** The side of the heat map's own small canvas; the browser smooths it up to the picture. */
const HEAT_SIDE = 256;
/** A stroke under way goes into the journal so often, so that a tab that dies loses no more than that. */
const KEEP_MS = 400;

/** What the pointer draws with. */
export interface Tool {
  shape: Shape;
  mark: Mark;
  radius: number;
  softness: number;
  strength: number;
}

export interface StageProps {
  picture: HTMLImageElement;
  /** Takes the box to repaint, once the stage stands. */
  drawer: Drawer;
  repaints: Repaints;
  map: HeatMap | null;
  opacity: number;
  maskOpacity: number;
  colours: ColourMap;
  tool: Tool;
  brightness: number;
  contrast: number;
  /** The space key is down: the pointer moves the picture. */
  panning: boolean;
  onStroke(): void;
  onHold(down: boolean): void;
}

/** Where the drawer announces what must be repainted. */
export class Repaints {
  private listener: (box: Box) => void = () => {};
  readonly announce = (box: Box): void => this.listener(box);
  listen(listener: (box: Box) => void): void {
    this.listener = listener;
  }
}

/** The picture with heat map and mask over it. Three layers share one transform; only the touched box is repainted. */
export function Stage(props: StageProps) {
  const windowRef = useRef<HTMLDivElement>(null);
  const sheetRef = useRef<HTMLDivElement>(null);
  const pictureRef = useRef<HTMLCanvasElement>(null);
  const heatRef = useRef<HTMLCanvasElement>(null);
  const maskRef = useRef<HTMLCanvasElement>(null);
  const guideRef = useRef<SVGSVGElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const { width, height } = props.drawer.mask;

  useEffect(() => {
    const layer = maskRef.current!.getContext("2d")!;
    const { drawer, repaints } = props;
    pictureRef.current!.getContext("2d")!.drawImage(props.picture, 0, 0, width, height);
    repaints.listen((box) => repaint(layer, drawer.mask, box));
    repaint(layer, drawer.mask, { x0: 0, y0: 0, x1: width, y1: height });
    return attachPointer(windowRef.current!, sheetRef.current!, guideRef.current!, latest);
  }, [props.drawer]);

  useEffect(() => {
    const layer = heatRef.current!.getContext("2d")!;
    layer.clearRect(0, 0, HEAT_SIDE, HEAT_SIDE);
    if (!props.map) return;
    const pixels = heatPixels(props.map, HEAT_SIDE, HEAT_SIDE, colourTable(props.colours));
    layer.putImageData(new ImageData(pixels, HEAT_SIDE), 0, 0);
  }, [props.map, props.colours]);

  useEffect(() => {
    heatRef.current!.style.opacity = String(props.opacity);
    maskRef.current!.style.opacity = String(props.maskOpacity);
    pictureRef.current!.style.filter = `brightness(${props.brightness}) contrast(${props.contrast})`;
  }, [props.opacity, props.maskOpacity, props.brightness, props.contrast]);

  useEffect(() => {
    windowRef.current!.classList.toggle("panning", props.panning);
  }, [props.panning]);

  return (
    <div ref={windowRef} class="stage" role="application" aria-label="Picture to draw on" tabIndex={0}>
      <div ref={sheetRef} class="sheet">
        <canvas ref={pictureRef} class="layer" width={width} height={height} />
        <canvas ref={heatRef} class="layer heat" width={HEAT_SIDE} height={HEAT_SIDE} />
        <canvas ref={maskRef} class="layer mask" width={width} height={height} />
      </div>
      <svg ref={guideRef} class="guide" aria-hidden="true" />
    </div>
  );
}

/** Turn pointer events into strokes, shapes, pans and pinches; gives what takes the listeners away. */
function attachPointer(
  stage: HTMLDivElement,
  sheet: HTMLDivElement,
  guide: SVGSVGElement,
  latest: { current: StageProps },
): () => void {
  const { width, height } = latest.current.drawer.mask;
  let view = fit(width, height, stage.clientWidth, stage.clientHeight);
  const pointers = new Map<number, Point>();
  let last: Point | null = null;
  let corners: Point[] = [];
  let moving = false;
  let kept = 0;
  sheet.style.width = `${width}px`;
  sheet.style.height = `${height}px`;

  const show = (next: View) => {
    view = next;
    sheet.style.transform = `translate(${view.left}px, ${view.top}px) scale(${view.scale})`;
    sheet.classList.toggle("pixels", view.scale > 3);
  };
  const inWindow = (event: PointerEvent | WheelEvent): Point => {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const brush = (event: PointerEvent): Brush => {
    const { mark, radius, softness, strength } = latest.current.tool;
    const pressure = event.pointerType === "pen" && event.pressure > 0 ? 0.3 + 0.7 * event.pressure : 1;
    return { mark, radius: radius * pressure, softness, strength };
  };
  const drawGuide = (at: Point | null) => {
    const { shape, radius, mark } = latest.current.tool;
    const place = (cell: Point) => `${view.left + view.scale * cell.x},${view.top + view.scale * cell.y}`;
    guide.setAttribute("class", `guide ${mark}`);
    guide.replaceChildren();
    const add = (name: string, words: Record<string, string | number>) => {
      const line = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [word, value] of Object.entries(words)) line.setAttribute(word, String(value));
      guide.append(line);
    };
    if (!at) return;
    if (shape === "brush") add("circle", { cx: at.x, cy: at.y, r: Math.max(radius * view.scale, 1) });
    const end = cellAt(view, at.x, at.y);
    if (shape === "polygon" && corners.length) add("polyline", { points: [...corners, end].map(place).join(" ") });
    if ((shape === "box" || shape === "ellipse") && corners.length) {
      const [from] = corners;
      const x = view.left + view.scale * Math.min(from.x, end.x);
      const y = view.top + view.scale * Math.min(from.y, end.y);
      const w = view.scale * Math.abs(from.x - end.x);
      const h = view.scale * Math.abs(from.y - end.y);
      if (shape === "box") add("rect", { x, y, width: w, height: h });
      else add("ellipse", { cx: x + w / 2, cy: y + h / 2, rx: w / 2, ry: h / 2 });
    }
  };
  const endStroke = () => {
    last = null;
    if (latest.current.drawer.finish()) latest.current.onStroke();
    latest.current.onHold(false);
  };
  const fill = () => {
    const { drawer, tool, onStroke } = latest.current;
    const enough = corners.length >= (tool.shape === "polygon" ? 3 : 2);
    if (enough && drawer.fill(tool.shape, corners, tool.mark, tool.strength)) onStroke();
    corners = [];
    drawGuide(null);
  };

  const down = (event: PointerEvent) => {
    if (event.pointerType === "touch" && event.width > 80) return; // a palm
    stage.focus();
    stage.setPointerCapture(event.pointerId);
    const at = inWindow(event);
    pointers.set(event.pointerId, at);
    moving = latest.current.panning || event.button === 1 || pointers.size > 1;
    if (moving) {
      if (last) endStroke();
      return;
    }
    const cell = cellAt(view, at.x, at.y);
    const { shape } = latest.current.tool;
    latest.current.onHold(true);
    if (shape === "brush") {
      last = cell;
      kept = event.timeStamp;
      latest.current.drawer.stretch(cell, cell, brush(event));
    } else if (shape === "polygon") {
      const [first] = corners;
      const closes = corners.length > 2 && Math.hypot(first.x - cell.x, first.y - cell.y) * view.scale < 12;
      if (closes || event.detail > 1) fill();
      else corners.push(cell);
    } else {
      corners = [cell];
    }
  };
  const move = (event: PointerEvent) => {
    const at = inWindow(event);
    const before = pointers.get(event.pointerId);
    if (before && moving) {
      const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
      if (others.length) {
        const [other] = others;
        const factor =
          Math.hypot(at.x - other.x, at.y - other.y) / Math.max(1, Math.hypot(before.x - other.x, before.y - other.y));
        show(zoomAt(view, (at.x + other.x) / 2, (at.y + other.y) / 2, factor));
      } else {
        show({ ...view, left: view.left + at.x - before.x, top: view.top + at.y - before.y });
      }
      pointers.set(event.pointerId, at);
    } else if (before && last) {
      const box = stage.getBoundingClientRect();
      for (const part of event.getCoalescedEvents?.() ?? [event]) {
        const cell = cellAt(view, part.clientX - box.left, part.clientY - box.top);
        latest.current.drawer.stretch(last, cell, brush(part));
        last = cell;
      }
      if (event.timeStamp - kept > KEEP_MS) {
        kept = event.timeStamp;
        latest.current.onStroke();
      }
    }
    drawGuide(at);
  };
  const up = (event: PointerEvent) => {
    if (!pointers.delete(event.pointerId)) return;
    const { shape } = latest.current.tool;
    if (last) endStroke();
    else if (!moving && (shape === "box" || shape === "ellipse") && corners.length) {
      const at = inWindow(event);
      corners.push(cellAt(view, at.x, at.y));
      fill();
    }
    if (!pointers.size) {
      moving = false;
      latest.current.onHold(false);
    }
  };
  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    const at = inWindow(event);
    show(zoomAt(view, at.x, at.y, Math.exp(-event.deltaY / 400)));
    drawGuide(at);
  };
  const key = (event: KeyboardEvent) => {
    if (event.key === "Escape") {
      corners = [];
      drawGuide(null);
    } else if (event.key === "Enter" && latest.current.tool.shape === "polygon") fill();
    else if (event.key === "z") show(fit(width, height, stage.clientWidth, stage.clientHeight));
  };
  const resized = new ResizeObserver(() => show(fit(width, height, stage.clientWidth, stage.clientHeight)));
  const leave = () => drawGuide(null);

  show(view);
  resized.observe(stage);
  stage.addEventListener("pointerdown", down);
  stage.addEventListener("pointermove", move);
  stage.addEventListener("pointerup", up);
  stage.addEventListener("pointercancel", up);
  stage.addEventListener("pointerleave", leave);
  stage.addEventListener("wheel", wheel, { passive: false });
  window.addEventListener("keydown", key);
  return () => {
    resized.disconnect();
    stage.removeEventListener("pointerdown", down);
    stage.removeEventListener("pointermove", move);
    stage.removeEventListener("pointerup", up);
    stage.removeEventListener("pointercancel", up);
    stage.removeEventListener("pointerleave", leave);
    stage.removeEventListener("wheel", wheel);
    window.removeEventListener("keydown", key);
  };
}
