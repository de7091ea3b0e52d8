import { isEmpty, NOTHING, union, type Box, type Size } from "../raster/box";
import type { Point } from "../raster/shapes";
import { MaskLayers } from "./mask_layers";
import type { Mask } from "../raster/mask";
import { boxOnScreen, fit, keepInSight, pan, toPicture, toScreen, zoomAt, type Viewport } from "./viewport";

/** From this many pixels a cell on the cells are shown as squares. */
export const SMOOTH_BELOW = 20;

/** Brightness and contrast of the picture, 1 as it is. */
export interface Window {
  readonly brightness: number;
  readonly contrast: number;
}

/**
 * The picture with the heat map and the mask over it. Knows how to draw them, zoom and pan; knows nothing of tools.
 *
 * Three canvases lie on each other: the picture and the heat map, which change with the view alone, and the layers, of
 * which a stroke repaints only the part that it touched.
 */
export class Stage {
  readonly element: HTMLDivElement;
  readonly draft: SVGSVGElement;
  view: Viewport = { scale: 1, x: 0, y: 0 };
  screen: Size = { width: 1, height: 1 };
  onView: (view: Viewport) => void = () => undefined;
  private readonly pictureCanvas = document.createElement("canvas");
  private readonly heatCanvas = document.createElement("canvas");
  private readonly layerCanvas = document.createElement("canvas");
  private readonly scratch = document.createElement("canvas");
  private picture: CanvasImageSource | null = null;
  private size: Size = { width: 1, height: 1 };
  private heat: HTMLCanvasElement | null = null;
  private preview: HTMLCanvasElement | null = null;
  private layers: MaskLayers | null = null;
  private heatOpacity = 0.5;
  private maskOpacity = 1;
  private fitted = true;
  private dirty: Box = NOTHING;
  private changedCells: Box = NOTHING;
  private pictureDirty = false;
  private frame = 0;
  private readonly observer: ResizeObserver;

  constructor() {
    this.element = document.createElement("div");
    this.element.className = "stage";
    this.draft = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.draft.setAttribute("class", "stage-draft");
    this.element.append(this.pictureCanvas, this.heatCanvas, this.layerCanvas, this.draft);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.element);
  }

  close(): void {
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
  }

  /** Show another picture, of `size` cells. */
  show(picture: CanvasImageSource | null, size: Size): void {
    const sameSize = size.width === this.size.width && size.height === this.size.height;
    this.picture = picture;
    this.size = size;
    if (!sameSize || this.fitted) this.fit();
    this.repaintAll();
  }

  showMask(mask: Mask | null): void {
    this.layers = mask === null ? null : new MaskLayers(mask);
    this.changedCells = NOTHING;
    this.repaintAll();
  }

  showHeat(heat: HTMLCanvasElement | null, opacity: number): void {
    this.heat = heat;
    this.heatOpacity = opacity;
    this.repaintAll();
  }

  /** Something over the map that is not drawn yet. */
  showPreview(preview: HTMLCanvasElement | null): void {
    this.preview = preview;
    this.repaintAll();
  }

  setMaskOpacity(opacity: number): void {
    this.maskOpacity = opacity;
    this.repaintAll();
  }

  setWindow({ brightness, contrast }: Window): void {
    this.pictureCanvas.style.filter =
      brightness === 1 && contrast === 1 ? "" : `brightness(${brightness}) contrast(${contrast})`;
  }

  /** Cells in `box` have changed. */
  refresh(box: Box): void {
    if (isEmpty(box)) return;
    this.changedCells = union(this.changedCells, box);
    const onScreen = boxOnScreen(this.view, box);
    const edge = 2 + this.view.scale; // a smoothed cell colours half of the next one
    this.dirty = union(this.dirty, {
      left: onScreen.left - edge,
      top: onScreen.top - edge,
      right: onScreen.right + edge,
      bottom: onScreen.bottom + edge,
    });
    this.ask();
  }

  fit(): void {
    this.fitted = true;
    this.setView(fit(this.size, this.screen), true);
  }

  zoomBy(factor: number, at?: Point): void {
    const centre = at ?? { x: this.screen.width / 2, y: this.screen.height / 2 };
    this.setView(zoomAt(this.view, centre, factor, fit(this.size, this.screen)));
  }

  panBy(dx: number, dy: number): void {
    this.setView(pan(this.view, dx, dy));
  }

  /** From the page's coordinates (of a pointer) to cells. */
  cellsAt(clientX: number, clientY: number): Point {
    return toPicture(this.view, this.screenAt(clientX, clientY));
  }

  screenAt(clientX: number, clientY: number): Point {
    const bounds = this.element.getBoundingClientRect();
    return { x: clientX - bounds.left, y: clientY - bounds.top };
  }

  onScreen(at: Point): Point {
    return toScreen(this.view, at);
  }

  private setView(view: Viewport, isFit = false): void {
    this.fitted = isFit;
    this.view = isFit ? view : keepInSight(view, this.size, this.screen);
    this.repaintAll();
    this.onView(this.view);
  }

  private resize(): void {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.element;
    if (clientWidth === 0 || clientHeight === 0) return;
    this.screen = { width: clientWidth, height: clientHeight };
    for (const canvas of [this.pictureCanvas, this.heatCanvas, this.layerCanvas, this.scratch]) {
      canvas.width = Math.round(clientWidth * ratio);
      canvas.height = Math.round(clientHeight * ratio);
    }
    if (this.fitted) this.fit();
    else this.setView(this.view);
    this.paint();
  }

  private repaintAll(): void {
    this.dirty = { left: 0, top: 0, right: this.screen.width, bottom: this.screen.height };
    this.pictureDirty = true;
    this.ask();
  }

  private ask(): void {
    if (this.frame === 0) this.frame = requestAnimationFrame(() => this.paint());
  }

  private paint(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const ratio = this.layerCanvas.width / this.screen.width;
    const place = boxOnScreen(this.view, { left: 0, top: 0, right: this.size.width, bottom: this.size.height });
    const onDevice = scaled(place, ratio);
    if (this.pictureDirty) {
      this.paintPicture(onDevice);
      this.paintHeat(onDevice);
    }
    if (!isEmpty(this.changedCells)) this.layers?.update(this.changedCells);
    this.changedCells = NOTHING;
    const clip = {
      left: Math.max(0, Math.floor(this.dirty.left * ratio)),
      top: Math.max(0, Math.floor(this.dirty.top * ratio)),
      right: Math.min(this.layerCanvas.width, Math.ceil(this.dirty.right * ratio)),
      bottom: Math.min(this.layerCanvas.height, Math.ceil(this.dirty.bottom * ratio)),
    };
    this.dirty = NOTHING;
    if (isEmpty(clip)) return;
    const context = this.layerCanvas.getContext("2d")!;
    context.save();
    context.beginPath();
    context.rect(clip.left, clip.top, clip.right - clip.left, clip.bottom - clip.top);
    context.clip();
    context.clearRect(clip.left, clip.top, clip.right - clip.left, clip.bottom - clip.top);
    if (this.preview !== null)
      context.drawImage(this.preview, onDevice.left, onDevice.top, onDevice.right - onDevice.left, onDevice.bottom - onDevice.top);
    if (this.maskOpacity > 0) this.layers?.draw(context, this.scratch, clip, onDevice, this.maskOpacity);
    context.restore();
  }

  private paintHeat(place: Box): void {
    const context = this.heatCanvas.getContext("2d")!;
    context.clearRect(0, 0, this.heatCanvas.width, this.heatCanvas.height);
    if (this.heat === null || this.heatOpacity === 0) return;
    context.globalAlpha = this.heatOpacity;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.heat, place.left, place.top, place.right - place.left, place.bottom - place.top);
    context.globalAlpha = 1;
  }

  private paintPicture(place: Box): void {
    this.pictureDirty = false;
    const context = this.pictureCanvas.getContext("2d")!;
    context.clearRect(0, 0, this.pictureCanvas.width, this.pictureCanvas.height);
    if (this.picture === null) return;
    context.imageSmoothingEnabled = (place.right - place.left) / this.size.width < SMOOTH_BELOW;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.picture, place.left, place.top, place.right - place.left, place.bottom - place.top);
  }
}

function scaled(box: Box, ratio: number): Box {
  return { left: box.left * ratio, top: box.top * ratio, right: box.right * ratio, bottom: box.bottom * ratio };
}
