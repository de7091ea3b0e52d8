import { FULL_TARGET, FULL_WEIGHT } from "./mask";

/** What a stroke lays down: its kind, and its strength from 0 to 1 (importance, or trust for irrelevant). */
export interface Paint {
  readonly kind: "relevant" | "irrelevant" | "unknown";
  readonly strength: number;
}

/** A cell as target and weight in one number, so that painting makes no objects. */
export function cellOf(target: number, weight: number): number {
  return target * 256 + weight;
}

/** Coverage under this (of 255) is not painted at all. */
const LEAST_COVERAGE = 6;
const HALF = 128;

/**
 * The cell after `paint` has covered it by `coverage` (0 to 255), from what it was before the stroke.
 *
 * A soft edge of relevant lowers the importance outwards, or blends into the importance that was there. A soft edge of
 * irrelevant lowers the trust; where something relevant was, its inner half alone replaces it. Erasing has a hard edge.
 */
export function paintCell(paint: Paint, coverage: number, target: number, weight: number): number {
  if (coverage < LEAST_COVERAGE) return cellOf(target, weight);
  if (paint.kind === "unknown") return coverage >= HALF ? 0 : cellOf(target, weight);
  const share = coverage / 255;
  if (paint.kind === "relevant") {
    const before = weight > 0 ? target : 0;
    const wanted = paint.strength * FULL_TARGET;
    return cellOf(Math.max(1, Math.round(before + (wanted - before) * share)), FULL_WEIGHT);
  }
  const wasRelevant = weight > 0 && target > 0;
  if (wasRelevant && coverage < HALF) return cellOf(target, weight);
  const before = wasRelevant ? 0 : weight;
  const wanted = paint.strength * FULL_WEIGHT;
  return cellOf(0, Math.max(1, Math.round(before + (wanted - before) * share)));
}
