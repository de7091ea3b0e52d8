import type { Brush } from "../raster/stroke";
import type { Paint } from "../raster/paint";

export type Tool = "brush" | "polygon" | "ellipse" | "box" | "pieces" | "click" | "snap" | "window" | "hand";
export type Ink = Paint["kind"];

/** The tool in the hand. Sizes are in pixels of the picture, relative to its long side, so that they suit any picture. */
export interface ToolSettings {
  readonly tool: Tool;
  readonly ink: Ink;
  /** Diameter as a share of the picture's long side. */
  readonly size: number;
  readonly softness: number;
  readonly strength: number;
  /** About how many superpixels a picture has. */
  readonly pieces: number;
}

export const FIRST_TOOL: ToolSettings = { tool: "brush", ink: "relevant", size: 0.08, softness: 0.3, strength: 1, pieces: 400 };

const LEAST_SIZE = 0.004;
const MOST_SIZE = 0.6;

export function brushOf(settings: ToolSettings, longSide: number): Brush {
  return {
    radius: Math.max(0.5, (settings.size * longSide) / 2),
    softness: settings.ink === "unknown" ? 0 : settings.softness,
  };
}

export function paintOf(settings: ToolSettings): Paint {
  return { kind: settings.ink, strength: settings.strength };
}

export function resized(settings: ToolSettings, factor: number): ToolSettings {
  if (settings.tool === "pieces") return withPieces(settings, settings.pieces / factor ** 2);
  return { ...settings, size: Math.min(MOST_SIZE, Math.max(LEAST_SIZE, settings.size * factor)) };
}

export const LEAST_PIECES = 40;
export const MOST_PIECES = 2000;

export function withPieces(settings: ToolSettings, pieces: number): ToolSettings {
  return { ...settings, pieces: Math.round(Math.min(MOST_PIECES, Math.max(LEAST_PIECES, pieces))) };
}

export function withSoftness(settings: ToolSettings, change: number): ToolSettings {
  return { ...settings, softness: inTenths(settings.softness + change, 0) };
}

export function withStrength(settings: ToolSettings, change: number): ToolSettings {
  return { ...settings, strength: inTenths(settings.strength + change, 0.1) };
}

/** Relevant and irrelevant change places; the eraser becomes relevant. */
export function swapInk(settings: ToolSettings): ToolSettings {
  return { ...settings, ink: settings.ink === "relevant" ? "irrelevant" : "relevant" };
}

/** With a pen the pressure narrows the brush, never to nothing. */
export function pressed(brush: Brush, pointerType: string, pressure: number): Brush {
  return pointerType === "pen" && pressure > 0 ? { ...brush, radius: brush.radius * (0.25 + 0.75 * pressure) } : brush;
}

function inTenths(value: number, least: number): number {
  return Math.min(1, Math.max(least, Math.round(value * 10) / 10));
}
