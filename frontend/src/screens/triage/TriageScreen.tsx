import { useEffect, useRef, useState } from "preact/hooks";
import { actionOf, isTyping } from "../../keys/actions";
import { allImages, isNarrowed, orderOf, SORTS, type SortName } from "../../lists/filters";
import { goToComparison, goToImage, goToRating } from "../routes";
import { SaveStatus } from "../SaveStatus";
import { ScreenLinks } from "../ScreenLinks";
import { SORT_NAMES } from "../wording";
import { useChanges, useWorkplace } from "../workplace";
import { FilterPanel } from "./FilterPanel";
import { ImageGrid } from "./ImageGrid";
import { JobsLine } from "./JobsLine";

let lastChosen = 0;

/** Which images need the expert: the matrix, filters, and a grid of thumbs. */
export function TriageScreen({ showHelp }: { showHelp: () => void }) {
  const workplace = useWorkplace();
  const { list, filters, preferences, study } = workplace;
  useChanges(list);
  const [chosen, setChosen] = useState(lastChosen);
  const search = useRef<HTMLInputElement>(null);
  useEffect(() => {
    document.title = `${study.name} · Visteer`;
    // What was done in the editor moves images: look anew.
    workplace.filter({});
  }, []);
  useEffect(() => {
    void list.ensure(0, 1);
  }, [list]);
  const asked = JSON.stringify(filters);
  const before = useRef(asked);
  useEffect(() => {
    if (before.current !== asked) setChosen(0);
    before.current = asked;
  }, [asked]);
  useEffect(() => {
    lastChosen = chosen;
  }, [chosen]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (isTyping(event.target)) return;
      const action = actionOf(event, "triage");
      if (action === "search") {
        event.preventDefault();
        search.current?.focus();
      }
      if (action === "rate") goToRating();
      if (action === "compare-chosen") {
        const item = now.current.list.at(now.current.place);
        if (item !== undefined) goToComparison(item.key);
      }
      if (action === "maps") workplace.prefer({ thumbMaps: !workplace.preferences.thumbMaps });
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
  const total = list.total;
  const order = orderOf(filters);
  const place = total === null || total === 0 ? 0 : Math.min(chosen, total - 1);
  const now = useRef({ list, place });
  now.current = { list, place };
  return (
    <div class="triage">
      <FilterPanel searchField={search} start={() => openAt(list.at(place)?.key)} />
      <main class="triage-main">
        <header class="bar">
          <ScreenLinks screen="triage" />
          <h1 class="bar-title">{study.name}</h1>
          <label class="field">
            <span>Sort</span>
            <select
              value={filters.sort}
              onChange={(event) => workplace.filter({ sort: event.currentTarget.value as SortName, order: null })}
            >
              {SORTS.map((sort) => (
                <option key={sort} value={sort}>
                  {SORT_NAMES[sort]}
                </option>
              ))}
            </select>
          </label>
          <button
            class="button is-icon"
            aria-label={order === "asc" ? "Smallest first" : "Largest first"}
            title={filters.sort === "queue" ? "The worst first, with every fifth drawn at random" : "Turn the order round"}
            disabled={filters.sort === "queue"}
            onClick={() => workplace.filter({ order: order === "asc" ? "desc" : "asc" })}
          >
            {order === "asc" ? "↑" : "↓"}
          </button>
          <label class="check">
            <input
              type="checkbox"
              checked={preferences.thumbMaps}
              onChange={(event) => workplace.prefer({ thumbMaps: event.currentTarget.checked })}
            />
            Maps
          </label>
          <span class="bar-space" />
          <SaveStatus />
          <span class="count" aria-live="polite">
            {total === null ? "…" : total === 0 ? "0 images" : `${place + 1} / ${total}`}
          </span>
          <button class="button is-icon" onClick={showHelp} aria-label="Help and keys" title="Help and keys (?)">
            ?
          </button>
        </header>
        <JobsLine />
        {list.error !== null && total === null ? (
          <div class="notice is-inside">
            <h2>The images cannot be listed</h2>
            <p>{list.error}</p>
            <button class="button is-main" onClick={() => void list.retry()}>
              Try again
            </button>
          </div>
        ) : total === 0 ? (
          <div class="notice is-inside">
            <h2>No image is like this</h2>
            <p>{isNarrowed(filters) ? "The filters leave none." : "The study has no images."}</p>
            {isNarrowed(filters) && (
              <button
                class="button is-main"
                onClick={() => workplace.filter({ ...allImages(filters.run), sort: filters.sort, order: filters.order })}
              >
                Clear the filters
              </button>
            )}
          </div>
        ) : (
          <ImageGrid list={list} chosen={place} choose={setChosen} open={openAt} />
        )}
      </main>
    </div>
  );
}

function openAt(key: number | undefined): void {
  if (key !== undefined) goToImage(key);
}
