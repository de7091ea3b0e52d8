import type { Selecting } from "../../tools/selecting";
import type { Ink } from "../../tools/settings";

interface Props {
  readonly tool: "click" | "snap";
  readonly selecting: Selecting;
  readonly ink: Ink;
  readonly apply: () => void;
  readonly cancel: () => void;
  readonly fromDrawing: () => void;
  readonly toggleOutside: () => void;
}

/** An object that is looked for: how to say which, and whether it is right. */
export function SelectionPanel({ tool, selecting, ink, apply, cancel, fromDrawing, toggleOutside }: Props) {
  const { found, slow, clicks, outsideNext } = selecting;
  const kind = selecting.fromDrawing ? "relevant" : ink;
  const how =
    tool === "snap"
      ? found === null ? "Drag a box round the object." : "Drag another box if this is not it."
      : clicks.length === 0 ? "Click on the object." : "Click what is missing. Right click (or Alt) what does not belong.";
  return (
    <section class="float is-low" aria-label={tool === "snap" ? "Snap to an object" : "Object from clicks"}>
      <p aria-busy={slow}>{slow ? "Looking for the object…" : how}</p>
      <div class="float-buttons">
        {tool === "click" && clicks.length > 0 && (
          <button class="button" aria-pressed={outsideNext} onClick={toggleOutside} title="For a finger or a pen, which have no right button">
            Next click: {outsideNext ? "outside" : "inside"}
          </button>
        )}
        {tool === "snap" && found === null && (
          <button class="button" onClick={fromDrawing}>
            Start from my drawing
          </button>
        )}
        {(found !== null || clicks.length > 0) && (
          <button class="button" onClick={cancel}>
            Cancel <kbd>Esc</kbd>
          </button>
        )}
        <button class="button is-main" data-ink={kind} onClick={apply} disabled={found === null}>
          {kind === "unknown" ? "Erase" : `Draw as ${kind}`} <kbd>Enter</kbd>
        </button>
      </div>
    </section>
  );
}
