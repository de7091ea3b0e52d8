/** Everything that a key does, in the order of the help. Each is a button, too. */
export const ACTIONS = [
  { id: "relevant", screen: "editor", group: "Draw", keys: ["b"], says: "Brush: relevant (the model should look here)" },
  { id: "irrelevant", screen: "editor", group: "Draw", keys: ["n"], says: "Brush: irrelevant (the model must not use this)" },
  { id: "erase", screen: "editor", group: "Draw", keys: ["e"], says: "Eraser: back to unknown" },
  { id: "polygon", screen: "editor", group: "Draw", keys: ["p"], says: "Polygon; Enter or double click closes it" },
  { id: "ellipse", screen: "editor", group: "Draw", keys: ["o"], says: "Ellipse; Shift makes a circle" },
  { id: "box", screen: "editor", group: "Draw", keys: ["r"], says: "Box; Shift makes a square" },
  { id: "pieces", screen: "editor", group: "Draw", keys: ["q"], says: "Superpixels: click or drag fills them; [ and ] change their size" },
  { id: "click", screen: "editor", group: "Draw", keys: ["l"], says: "Object from clicks; right click or Alt: not this" },
  { id: "snap", screen: "editor", group: "Draw", keys: ["j"], says: "Snap to the object in a box" },
  { id: "swap", screen: "editor", group: "Draw", keys: ["x"], says: "Change between relevant and irrelevant" },
  { id: "smaller", screen: "editor", group: "Draw", keys: ["["], says: "Smaller brush" },
  { id: "larger", screen: "editor", group: "Draw", keys: ["]"], says: "Larger brush" },
  { id: "harder", screen: "editor", group: "Draw", keys: ["{", "shift+["], says: "Harder edge" },
  { id: "softer", screen: "editor", group: "Draw", keys: ["}", "shift+]"], says: "Softer edge" },
  { id: "weaker", screen: "editor", group: "Draw", keys: [","], says: "Less strength" },
  { id: "stronger", screen: "editor", group: "Draw", keys: ["."], says: "More strength" },
  { id: "from-map", screen: "editor", group: "Draw", keys: ["m"], says: "Start from the model's map" },
  { id: "copy-previous", screen: "editor", group: "Draw", keys: ["y"], says: "Copy the drawing of the previous image" },
  { id: "undo", screen: "editor", group: "Draw", keys: ["ctrl+z"], says: "Undo one stroke" },
  { id: "redo", screen: "editor", group: "Draw", keys: ["ctrl+shift+z", "ctrl+y"], says: "Redo one stroke" },
  { id: "close-shape", screen: "editor", group: "Draw", keys: ["enter"], says: "Close the polygon, draw the object found" },
  { id: "hide-map", screen: "editor", group: "Look", keys: ["h"], says: "Hold to hide the map" },
  { id: "hide-all", screen: "editor", group: "Look", keys: ["\\"], says: "Hold to see the picture alone" },
  { id: "reveal", screen: "editor", group: "Look", keys: ["v"], says: "Show the map, or hide it" },
  { id: "draw-first", screen: "editor", group: "Look", keys: ["g"], says: "Draw before the map is shown: on or off" },
  { id: "colour-map", screen: "editor", group: "Look", keys: ["c"], says: "Next colour map" },
  { id: "window", screen: "editor", group: "Look", keys: ["w"], says: "Contrast and brightness: drag (or drag with the right button)" },
  { id: "reset-window", screen: "editor", group: "Look", keys: ["shift+w"], says: "Contrast and brightness as they were" },
  { id: "fit", screen: "editor", group: "Look", keys: ["z"], says: "Fit the picture" },
  { id: "zoom-in", screen: "editor", group: "Look", keys: ["+", "="], says: "Zoom in (or the wheel, or two fingers)" },
  { id: "zoom-out", screen: "editor", group: "Look", keys: ["-"], says: "Zoom out" },
  { id: "hand", screen: "editor", group: "Look", keys: ["space"], says: "Hold and drag to move the picture (or the middle button)" },
  { id: "accept", screen: "editor", group: "Judge", keys: ["a"], says: "Accept the map as it is" },
  { id: "reject", screen: "editor", group: "Judge", keys: ["u"], says: "The map is unreasonable, without drawing" },
  { id: "nothing", screen: "editor", group: "Judge", keys: ["0"], says: "Nothing here is relevant" },
  { id: "skip", screen: "editor", group: "Judge", keys: ["s"], says: "Skip" },
  { id: "comment", screen: "editor", group: "Judge", keys: ["k"], says: "Write a comment" },
  { id: "next", screen: "editor", group: "Go", keys: ["d", "arrowright"], says: "Next image" },
  { id: "previous", screen: "editor", group: "Go", keys: ["f", "arrowleft"], says: "Previous image" },
  { id: "history", screen: "editor", group: "Go", keys: ["i"], says: "History of the image" },
  { id: "leave", screen: "editor", group: "Go", keys: ["escape"], says: "Leave a shape, a panel, or the image" },
  { id: "compare", screen: "editor", group: "Go", keys: ["shift+c"], says: "Compare two runs on this image" },
  { id: "open", screen: "triage", group: "Triage", keys: ["enter"], says: "Open the chosen image" },
  { id: "move", screen: "triage", group: "Triage", keys: ["arrowup", "arrowdown", "arrowleft", "arrowright"], says: "Choose another image" },
  { id: "search", screen: "triage", group: "Triage", keys: ["/"], says: "Search" },
  { id: "maps", screen: "triage", group: "Triage", keys: ["h"], says: "Show the maps, or hide them" },
  { id: "compare-chosen", screen: "triage", group: "Triage", keys: ["shift+c"], says: "Compare two runs on the chosen image" },
  { id: "rate", screen: "triage", group: "Triage", keys: ["r"], says: "Rate maps blind" },
  { id: "rate-1", screen: "rate", group: "Rate", keys: ["1"], says: "Looks exactly where an expert looks" },
  { id: "rate-2", screen: "rate", group: "Rate", keys: ["2"], says: "Looks mostly there" },
  { id: "rate-3", screen: "rate", group: "Rate", keys: ["3"], says: "Looks partly there" },
  { id: "rate-4", screen: "rate", group: "Rate", keys: ["4"], says: "Looks hardly there" },
  { id: "rate-5", screen: "rate", group: "Rate", keys: ["5"], says: "Looks somewhere else" },
  { id: "rate-back", screen: "rate", group: "Rate", keys: ["backspace", "arrowleft"], says: "Back to the map before" },
  { id: "rate-skip", screen: "rate", group: "Rate", keys: ["s", "arrowright"], says: "Leave this map for later" },
  { id: "rate-hide", screen: "rate", group: "Rate", keys: ["h"], says: "Hold to hide the map" },
  { id: "rate-leave", screen: "rate", group: "Rate", keys: ["escape"], says: "Back to all images" },
  { id: "compare-flip", screen: "compare", group: "Compare", keys: ["\\"], says: "Only before, then only after" },
  { id: "compare-left", screen: "compare", group: "Compare", keys: ["arrowleft"], says: "Move the divider to the left" },
  { id: "compare-right", screen: "compare", group: "Compare", keys: ["arrowright"], says: "Move the divider to the right" },
  { id: "compare-hide", screen: "compare", group: "Compare", keys: ["h"], says: "Hold to hide both maps" },
  { id: "compare-next", screen: "compare", group: "Compare", keys: ["d"], says: "Next image" },
  { id: "compare-previous", screen: "compare", group: "Compare", keys: ["f"], says: "Previous image" },
  { id: "compare-draw", screen: "compare", group: "Compare", keys: ["enter"], says: "Draw on this image" },
  { id: "compare-leave", screen: "compare", group: "Compare", keys: ["escape"], says: "Back to all images" },
  { id: "theme", screen: "any", group: "Anywhere", keys: ["t"], says: "Dark or light" },
  { id: "help", screen: "any", group: "Anywhere", keys: ["?", "shift+?"], says: "This help" },
] as const;

export type Action = (typeof ACTIONS)[number];
export type ActionId = Action["id"];
export type Screen = "editor" | "triage" | "rate" | "compare";

interface Pressed {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly shiftKey: boolean;
}

/** What a key does on a screen, if anything. */
export function actionOf(event: Pressed, screen: Screen): ActionId | null {
  if (event.altKey) return null;
  const plain = event.key === " " ? "space" : event.key.toLowerCase();
  const command = event.ctrlKey || event.metaKey ? "ctrl+" : "";
  const shifted = `${command}${event.shiftKey ? "shift+" : ""}${plain}`;
  // Signs such as ? and + need Shift on some keyboards and not on others; letters do not.
  const bare = `${command}${plain}`;
  const isSign = plain.length === 1 && plain.toLowerCase() === plain.toUpperCase() && !/[0-9]/.test(plain);
  const found = ACTIONS.find(
    (action) =>
      (action.screen === screen || action.screen === "any") &&
      (action.keys as readonly string[]).some((key) => key === shifted || (isSign && key === bare)),
  );
  return found?.id ?? null;
}

/** Keys as they are printed. */
export function keyNames(action: { readonly keys: readonly string[] }): string[] {
  const shown = action.keys.filter((key) => !/^shift\+[^a-z]$/.test(key) || action.keys.length === 1);
  return (shown.length > 0 ? shown : action.keys).map((key) =>
    key.split("+").filter((part, _, all) => part !== "" || all.length === 1).map((part) => NAMES[part] ?? part.toUpperCase()).join(" ") || "+",
  );
}

const NAMES: Record<string, string> = {
  ctrl: "Ctrl", shift: "Shift", escape: "Esc", backspace: "⌫", enter: "Enter", space: "Space",
  arrowup: "↑", arrowdown: "↓", arrowleft: "←", arrowright: "→",
};

/** Whether typing goes into a field, so that letters are no commands. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !["range", "checkbox", "button"].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target.isContentEditable;
}
