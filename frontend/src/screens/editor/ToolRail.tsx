import type { ComponentChildren } from "preact";
import type { ActionId } from "../../keys/actions";
import type { ToolSettings } from "../../tools/settings";

interface Props {
  readonly tool: ToolSettings;
  readonly canUndo: boolean;
  readonly canRedo: boolean;
  readonly panel: string | null;
  readonly act: (action: ActionId) => void;
}

/** The tools, one button each; the key is in the title and in the corner. */
export function ToolRail({ tool, canUndo, canRedo, panel, act }: Props) {
  const one = (id: ActionId, label: string, key: string, icon: ComponentChildren, on?: boolean, disabled = false, ink?: string) => (
    <button
      class="tool"
      data-ink={ink}
      aria-label={label}
      title={`${label} (${key})`}
      aria-pressed={on}
      disabled={disabled}
      onClick={() => act(id)}
    >
      <svg viewBox="0 0 24 24" aria-hidden="true">
        {icon}
      </svg>
      <kbd aria-hidden="true" data-key={key.replace("Ctrl+", "^")} />
    </button>
  );
  const brush = tool.tool === "brush";
  const swapped = tool.ink === "irrelevant" ? "irrelevant" : tool.ink === "relevant" ? "relevant" : "unknown";
  return (
    <nav class="rail" aria-label="Tools">
      {one("relevant", "Relevant brush", "B", BRUSH, brush && tool.ink === "relevant", false, "relevant")}
      {one("irrelevant", "Irrelevant brush", "N", BRUSH, brush && tool.ink === "irrelevant", false, "irrelevant")}
      {one("erase", "Eraser to unknown", "E", <path d="M8.500 19h11M4.500 14.500l8-8 6 6-6.500 6.500h-4z M9 10l6 6" />, brush && tool.ink === "unknown")}
      <hr />
      {one("polygon", "Polygon", "P", <path d="M5 9l7-5 7 6-3 9H7z" />, tool.tool === "polygon", false, tool.tool === "polygon" ? swapped : undefined)}
      {one("ellipse", "Ellipse", "O", <ellipse cx="12" cy="12" rx="8.500" ry="6.500" />, tool.tool === "ellipse", false, tool.tool === "ellipse" ? swapped : undefined)}
      {one("box", "Box", "R", <rect x="4" y="6" width="16" height="12" rx="1" />, tool.tool === "box", false, tool.tool === "box" ? swapped : undefined)}
      {one("pieces", "Superpixels", "Q", <path d="M4 5h16v14H4zM4 11l6-1 2-5M10 10l3 4 7-2M13 14l-2 5M4 15l6 1" />, tool.tool === "pieces", false, tool.tool === "pieces" ? swapped : undefined)}
      {one("click", "Object from clicks", "L", <path d="M6 9a7 6 0 1111 5M11 10l8 3.500-3.500 1.500-1.500 4z" />, tool.tool === "click", false, tool.tool === "click" ? swapped : undefined)}
      {one("snap", "Snap to the object in a box", "J", <><path d="M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4" /><circle cx="12" cy="12" r="4" /></>, tool.tool === "snap", false, tool.tool === "snap" ? swapped : undefined)}
      {one("swap", `Draws ${tool.ink}: change`, "X", <path d="M7 5L4 8l3 3M4 8h12M17 13l3 3-3 3M20 16H8" />, undefined, false, swapped)}
      <hr />
      {one("from-map", "Start from the model's map", "M", <path d="M4 17c3-9 5-9 8-4s5 2 8-6M4 20h16" />, panel === "from-map")}
      {one("copy-previous", "Copy from the previous image", "Y", <path d="M8 8h11v11H8zM5 15V5h10" />)}
      {one("undo", "Undo", "Ctrl+Z", <path d="M8 5L4 9l4 4M4 9h10a5 5 0 010 10h-4" />, undefined, !canUndo)}
      {one("redo", "Redo", "Ctrl+Y", <path d="M16 5l4 4-4 4M20 9H10a5 5 0 000 10h4" />, undefined, !canRedo)}
      <hr />
      {one("window", "Contrast and brightness", "W", <><circle cx="12" cy="12" r="8" /><path d="M12 4a8 8 0 010 16z" class="is-filled" /></>, tool.tool === "window")}
      {one("hand", "Move the picture", "Space", <path d="M12 3v18M3 12h18M12 3l-2 2M12 3l2 2M12 21l-2-2M12 21l2-2M3 12l2-2M3 12l2 2M21 12l-2-2M21 12l-2 2" />, tool.tool === "hand")}
      {one("fit", "Fit the picture", "Z", <path d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5" />)}
    </nav>
  );
}

const BRUSH = <path d="M20 4c-5 2-8 5-10 8l2 2c3-2 6-5 8-10zM9 13c-3 0-3 4-5 5 3 1.500 7 1 7-3z" />;
