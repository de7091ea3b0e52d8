import type { Parameters } from "../api/server";
import type { GroupName, StateName } from "../api/messages";

export const SORTS = ["queue", "misalignment", "confidence", "class", "state", "name"] as const;
export type SortName = (typeof SORTS)[number];

/** Which images, in which order. */
export interface Filters {
  readonly run: string | null;
  readonly split: string | null;
  readonly class_: string | null;
  readonly author: string | null;
  readonly state: StateName | null;
  readonly group: GroupName | null;
  readonly search: string;
  readonly sort: SortName;
  /** Null: the natural order of the sort. */
  readonly order: "asc" | "desc" | null;
}

export function allImages(run: string | null): Filters {
  return {
    run, split: null, class_: null, author: null, state: null, group: null, search: "", sort: "queue", order: null,
  };
}

export function isNarrowed(filters: Filters): boolean {
  const { split, class_, author, state, group, search } = filters;
  return [split, class_, author, state, group].some((value) => value !== null) || search !== "";
}

/** The order that is in force. */
export function orderOf(filters: Filters): "asc" | "desc" {
  return filters.order ?? (filters.sort === "queue" || filters.sort === "misalignment" ? "desc" : "asc");
}

export function asParameters(filters: Filters): Parameters {
  return { ...filters };
}
