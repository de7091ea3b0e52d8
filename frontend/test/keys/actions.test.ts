import { describe, expect, it } from "vitest";
import { ACTIONS, actionOf, keyNames, type Screen } from "../../src/keys/actions";

const press = (key: string, held: Partial<Record<"ctrlKey" | "metaKey" | "altKey" | "shiftKey", boolean>> = {}) => ({
  key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...held,
});

describe("actions", () => {
  it.each(["editor", "triage", "rate", "compare"] as Screen[])("have keys of their own on the %s screen", (screen) => {
    const keys = ACTIONS.filter((a) => a.screen === screen || a.screen === "any").flatMap((a) => [...a.keys]);
    expect(new Set(keys).size).toBe(keys.length);
  });
  it("know letters with and without Caps Lock, and signs with and without Shift", () => {
    expect(actionOf(press("b"), "editor")).toBe("relevant");
    expect(actionOf(press("B"), "editor")).toBe("relevant");
    expect(actionOf(press("?", { shiftKey: true }), "triage")).toBe("help");
    expect(actionOf(press("+", { shiftKey: true }), "editor")).toBe("zoom-in");
    expect(actionOf(press("+"), "editor")).toBe("zoom-in");
    expect(actionOf(press("{", { shiftKey: true }), "editor")).toBe("harder");
    expect(actionOf(press(" "), "editor")).toBe("hand");
  });
  it("tell Ctrl and Shift apart", () => {
    expect(actionOf(press("z"), "editor")).toBe("fit");
    expect(actionOf(press("z", { ctrlKey: true }), "editor")).toBe("undo");
    expect(actionOf(press("Z", { ctrlKey: true, shiftKey: true }), "editor")).toBe("redo");
    expect(actionOf(press("y", { metaKey: true }), "editor")).toBe("redo");
    expect(actionOf(press("W", { shiftKey: true }), "editor")).toBe("reset-window");
    expect(actionOf(press("b", { ctrlKey: true }), "editor")).toBeNull();
    expect(actionOf(press("a", { altKey: true }), "editor")).toBeNull();
  });
  it("print their keys", () => {
    expect(keyNames({ keys: ["ctrl+shift+z", "ctrl+y"] })).toEqual(["Ctrl Shift Z", "Ctrl Y"]);
    expect(keyNames({ keys: ["+", "="] })).toEqual(["+", "="]);
    expect(keyNames({ keys: ["?", "shift+?"] })).toEqual(["?"]);
    expect(keyNames({ keys: ["arrowleft"] })).toEqual(["←"]);
  });
});
