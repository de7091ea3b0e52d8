import { COLOUR_MAPS, type ColourMapName } from "../heat/colour_maps";
import { FIRST_TOOL, type ToolSettings } from "../tools/settings";

/** What this browser remembers. Nothing of the study is in here. */
export interface Preferences {
  readonly theme: "dark" | "light";
  readonly colourMap: ColourMapName;
  readonly heatOpacity: number;
  readonly maskOpacity: number;
  readonly drawFirst: boolean;
  readonly thumbMaps: boolean;
  readonly hintSeen: boolean;
  readonly tool: ToolSettings;
}

const FIRST: Preferences = {
  theme: "dark", colourMap: "viridis", heatOpacity: 0.5, maskOpacity: 1, drawFirst: false, thumbMaps: true,
  hintSeen: false, tool: FIRST_TOOL,
};
const NAME = "visteer-preferences";

export function readPreferences(): Preferences {
  try {
    const kept = JSON.parse(localStorage.getItem(NAME) ?? "{}") as Partial<Preferences>;
    const merged = { ...FIRST, ...kept, tool: { ...FIRST_TOOL, ...kept.tool } };
    return COLOUR_MAPS.includes(merged.colourMap) ? merged : FIRST;
  } catch {
    return FIRST;
  }
}

export function writePreferences(preferences: Preferences): void {
  try {
    localStorage.setItem(NAME, JSON.stringify(preferences));
  } catch {
    // A browser that keeps nothing: they last as long as the page.
  }
}
