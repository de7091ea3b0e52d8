import type { GroupName, StateName } from "../api/messages";
import type { SortName } from "../lists/filters";

export const STATES: Record<StateName, string> = {
  none: "To do", edited: "Drawn", accepted: "Accepted", nothing: "Nothing relevant", skipped: "Skipped",
};

export const GROUPS: Record<GroupName, string> = {
  right_reasonable: "Prediction right, attention reasonable",
  right_unreasonable: "Prediction right, attention unreasonable",
  right_unjudged: "Prediction right, attention not judged",
  wrong_reasonable: "Prediction wrong, attention reasonable",
  wrong_unreasonable: "Prediction wrong, attention unreasonable",
  wrong_unjudged: "Prediction wrong, attention not judged",
};

export const SORT_NAMES: Record<SortName, string> = {
  queue: "Queue", misalignment: "Misalignment", confidence: "Confidence", class: "Class", state: "State", name: "Name",
};

export const SPLIT_NAMES: Record<string, string> = { train: "Training", val: "Validation", test: "Test" };

export function percent(share: number | null): string {
  return share === null ? "–" : `${Math.round(share * 100)} %`;
}

/** The last part of an image's id. */
export function shortName(id: string): string {
  return id.split("/").at(-1) ?? id;
}
