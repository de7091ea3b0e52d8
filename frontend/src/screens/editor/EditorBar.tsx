import type { ActionId } from "../../keys/actions";
import { goToTriage } from "../routes";
import { SaveStatus } from "../SaveStatus";
import { shortName, STATES } from "../wording";
import { useWorkplace } from "../workplace";
import type { OpenImage } from "./open_image";

interface Props {
  readonly image: OpenImage;
  readonly place: number | null;
  readonly total: number | null;
  readonly otherTab: boolean;
  readonly act: (action: ActionId) => void;
  readonly showHelp: () => void;
}

export function EditorBar({ image, place, total, otherTab, act, showHelp }: Props) {
  const { list } = useWorkplace();
  const item = (place === null ? undefined : list.at(place)) ?? image.facts;
  return (
    <header class="bar editor-bar">
      <button class="button" onClick={goToTriage} title="Back to all images (Esc)">
        ← All images
      </button>
      <span class="bar-title is-name" title={item?.id ?? ""}>
        {item === null || item === undefined ? <span class="skeleton is-line" /> : shortName(item.id)}
      </span>
      {item !== null && item !== undefined && (
        <span class="tag" data-state={item.state}>
          <i aria-hidden="true" />
          {STATES[item.state]}
        </span>
      )}
      {otherTab && (
        <span class="tag is-warning" title="What is saved there is shown here, and the other way round">
          Open in another tab
        </span>
      )}
      <span class="bar-space" />
      <SaveStatus imageKey={image.key} />
      <button class="button" onClick={() => act("compare")} title="Compare two runs on this image (Shift+C)">
        Compare
      </button>
      <span class="stepper" role="group" aria-label="Queue">
        <button class="button is-icon" aria-label="Previous image" title="Previous image (F or ←)" disabled={place === null || place === 0} onClick={() => act("previous")}>
          ‹
        </button>
        <span class="count">{place === null || total === null ? "– / –" : `${place + 1} / ${total}`}</span>
        <button class="button is-icon" aria-label="Next image" title="Next image (D or →)" disabled={place === null} onClick={() => act("next")}>
          ›
        </button>
      </span>
      <button class="button is-icon" aria-label="Help and keys" title="Help and keys (?)" onClick={showHelp}>
        ?
      </button>
    </header>
  );
}
