/** Every action of the editor with its key and its line in the help. */
export const EDITOR_KEYS = [
  ["B", "brush: relevant"],
  ["N", "brush: irrelevant"],
  ["E", "eraser: back to unknown"],
  ["P / O / R", "polygon, ellipse, box (with the mark chosen last)"],
  ["Enter / Esc", "close the polygon / give it up"],
  ["[ / ]", "smaller / larger brush"],
  ["Ctrl+Z / Ctrl+Y", "undo / redo one stroke"],
  ["H (hold)", "hide heat map and drawing"],
  ["A", "accept the map as it is"],
  ["0", "nothing here is relevant"],
  ["S", "skip this image"],
  ["D or → / F or ←", "next / previous image"],
  ["C", "copy the edit of the previous image"],
  ["Space + drag, wheel", "move, zoom"],
  ["Z", "whole picture"],
  ["T", "back to all images"],
  ["?", "this help"],
] as const;

/** Whether the key press belongs to a field that is typed into. */
export function typing(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement | null;
  return target !== null && (/^(textarea|select)$/i.test(target.tagName) || isText(target));
}

function isText(target: HTMLElement): boolean {
  return target instanceof HTMLInputElement && (target.type === "text" || target.type === "search");
}
