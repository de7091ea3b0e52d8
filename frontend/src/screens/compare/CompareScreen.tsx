import { useEffect, useRef, useState } from "preact/hooks";
import { detailOf } from "../../api/errors";
import type { ComparedRun, Comparison, Study } from "../../api/messages";
import { fetchComparison } from "../../api/server";
import type { AttentionMap } from "../../heat/attention_map";
import { actionOf, isTyping, type ActionId } from "../../keys/actions";
import { useHeldKey } from "../held_key";
import { MapPicture } from "../MapPicture";
import { goToComparison, goToImage, goToTriage, routeOf } from "../routes";
import { ScreenLinks } from "../ScreenLinks";
import { percent, shortName } from "../wording";
import { useChanges, useWorkplace } from "../workplace";

interface Both {
  readonly comparison: Comparison;
  readonly picture: HTMLImageElement;
  readonly maps: readonly [AttentionMap, AttentionMap];
}

/** Chosen once, kept while the page is open. */
let chosenRuns: readonly [string, string] | null = null;

/** Two runs on one image: their maps under one divider, their figures beside. */
export function CompareScreen({ imageKey, showHelp }: { imageKey: number; showHelp: () => void }) {
  const { cache, list, preferences, study } = useWorkplace();
  useChanges(list);
  const [runs, setRuns] = useState(chosenRuns ?? firstRuns(study));
  const [both, setBoth] = useState<Both | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [attempt, setAttempt] = useState(0);
  const [divider, setDivider] = useState(50);
  const held = useHeldKey("h");
  const place = list.placeOf(imageKey);

  useEffect(() => {
    if (runs === null) return;
    let wanted = true;
    setBoth(null);
    setError(null);
    const [before, after] = runs;
    Promise.all([
      fetchComparison(imageKey, before, after),
      cache.picture(imageKey),
      cache.map(imageKey, before),
      cache.map(imageKey, after),
    ]).then(
      ([comparison, picture, first, second]) => wanted && setBoth({ comparison, picture, maps: [first, second] }),
      (reason: unknown) => wanted && setError(detailOf(reason)),
    );
    return () => {
      wanted = false;
    };
  }, [imageKey, runs, attempt]);
  useEffect(() => {
    void (place === null ? list.find(imageKey) : list.ensure(place, place + 3));
  }, [list, place]);
  useEffect(() => {
    document.title = `Compare ${both === null ? "" : shortName(both.comparison.id)} · Visteer`;
  }, [both]);

  const choose = (change: readonly [string, string]) => {
    chosenRuns = change;
    setRuns(change);
  };
  const go = (step: number) => {
    const route = routeOf(location.hash);
    const from = route.screen === "compare" ? list.placeOf(route.key) : null;
    if (from === null || from + step < 0) return;
    void list.ensure(from + step, from + step + 1).then(() => {
      const item = list.at(from + step);
      if (item !== undefined) goToComparison(item.key, true);
    });
  };
  const move = (by: number) => setDivider((at) => Math.min(100, Math.max(0, at + by)));
  useCompareKeys({
    "compare-flip": () => setDivider((at) => (at >= 100 ? 0 : 100)),
    "compare-left": () => move(-5),
    "compare-right": () => move(5),
    "compare-next": () => go(1),
    "compare-previous": () => go(-1),
    "compare-draw": () => goToImage(imageKey),
    "compare-leave": goToTriage,
  });

  return (
    <div class="compare">
      <header class="bar">
        <ScreenLinks screen="compare" />
        <span class="bar-title is-name" title={both?.comparison.id ?? ""}>
          <bdi>{both === null ? "" : shortName(both.comparison.id)}</bdi>
        </span>
        <span class="bar-space" />
        <button class="button" onClick={() => goToImage(imageKey)} title="Draw on this image (Enter)">
          Draw on it
        </button>
        <span class="stepper" role="group" aria-label="Queue">
          <button class="button is-icon" aria-label="Previous image" title="Previous image (F)" disabled={place === null || place === 0} onClick={() => go(-1)}>
            ‹
          </button>
          <span class="count">{place === null || list.total === null ? "– / –" : `${place + 1} / ${list.total}`}</span>
          <button class="button is-icon" aria-label="Next image" title="Next image (D)" disabled={place === null} onClick={() => go(1)}>
            ›
          </button>
        </span>
        <button class="button is-icon" aria-label="Help and keys" title="Help and keys (?)" onClick={showHelp}>
          ?
        </button>
      </header>
      {runs === null ? (
        <main class="notice is-inside">
          <h2>There is nothing to compare yet</h2>
          <p>No run is finished. Train one with visteer train, and steer one with visteer steer.</p>
        </main>
      ) : error !== null ? (
        <main class="notice is-inside">
          <h2>The runs cannot be compared on this image</h2>
          <p>{error}</p>
          <button class="button is-main" onClick={() => setAttempt(attempt + 1)}>
            Try again
          </button>
        </main>
      ) : (
        <main class="compare-main" aria-label="Before and after" aria-busy={both === null}>
          {both === null ? (
            <div class="stage-skeleton skeleton" />
          ) : (
            <Divided both={both} divider={divider} setDivider={setDivider} opacity={held ? 0 : preferences.heatOpacity} colourMap={preferences.colourMap} />
          )}
        </main>
      )}
      {runs !== null && (
        <aside class="panel compare-panel" aria-label="Figures">
          <Side title="Before" run={runs[0]} study={study} choose={(run) => choose([run, runs[1]])} found={both?.comparison.before ?? null} />
          <Side title="After" run={runs[1]} study={study} choose={(run) => choose([runs[0], run])} found={both?.comparison.after ?? null} />
          <Figures comparison={both?.comparison ?? null} />
          <p class="quiet">
            <kbd>\</kbd> flips between before and after. Misalignment: 0 is best. EPG: the share of the map inside the
            relevant region. IoU: the overlap of the hot half of the map with it. Both are best at 1, and unmarked cells count
            in neither.
          </p>
        </aside>
      )}
    </div>
  );
}

interface DividedProps {
  readonly both: Both;
  readonly divider: number;
  readonly setDivider: (percent: number) => void;
  readonly opacity: number;
  readonly colourMap: Parameters<typeof MapPicture>[0]["colourMap"];
}

/** The picture with the map of before at the left of the divider and that of after at its right. */
function Divided({ both, divider, setDivider, opacity, colourMap }: DividedProps) {
  const frame = useRef<HTMLDivElement>(null);
  const drag = (event: PointerEvent) => {
    if (event.type === "pointerdown") frame.current!.setPointerCapture(event.pointerId);
    else if (!frame.current!.hasPointerCapture(event.pointerId)) return;
    const box = frame.current!.getBoundingClientRect();
    setDivider(Math.min(100, Math.max(0, (100 * (event.clientX - box.left)) / box.width)));
  };
  const { comparison, picture, maps } = both;
  const ratio = picture.naturalWidth / picture.naturalHeight;
  const shape = { aspectRatio: `${ratio}`, width: `min(100cqw, ${100 * ratio}cqh)` };
  return (
    <div class="divided-place">
      <div ref={frame} class="divided" style={shape} onPointerDown={drag} onPointerMove={drag}>
        <MapPicture picture={picture} map={maps[1]} opacity={opacity} colourMap={colourMap} label={`After: the map of ${comparison.after.run}`} />
        <div class="divided-before" style={{ clipPath: `inset(0 ${100 - divider}% 0 0)` }}>
          <MapPicture picture={picture} map={maps[0]} opacity={opacity} colourMap={colourMap} label={`Before: the map of ${comparison.before.run}`} />
        </div>
        <div
          class="divider"
          role="slider"
          tabIndex={0}
          aria-label="Divider between before and after"
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.round(divider)}
          aria-valuetext={`${Math.round(divider)} % before`}
          style={{ left: `${divider}%` }}
        />
        {divider > 12 && <span class="divided-name">Before</span>}
        {divider < 88 && <span class="divided-name is-after">After</span>}
      </div>
    </div>
  );
}

interface SideProps {
  readonly title: string;
  readonly run: string;
  readonly study: Study;
  readonly choose: (run: string) => void;
  readonly found: ComparedRun | null;
}

function Side({ title, run, study, choose, found }: SideProps) {
  return (
    <section class="compare-side">
      <label class="field">
        <span>{title}</span>
        <select aria-label={title} value={run} onChange={(event) => choose(event.currentTarget.value)}>
          {study.runs.map((entry) => (
            <option key={entry.id} value={entry.id}>
              {entry.id}
            </option>
          ))}
        </select>
      </label>
      {found !== null && (
        <p>
          <bdi>{found.predicted}</bdi>{" "}
          <span class={found.right ? "is-right" : "is-wrong"}>{found.right ? "right" : "wrong"}</span>{" "}
          <span class="quiet">{percent(Math.max(...found.probabilities.map(({ p }) => p)))}</span>
          {found.dead && <span class="is-wrong"> · the map is zero everywhere</span>}
        </p>
      )}
    </section>
  );
}

const FIGURES = [
  { name: "misalignment", says: "Misalignment" },
  { name: "epg", says: "EPG" },
  { name: "iou", says: "IoU" },
] as const;

function Figures({ comparison }: { comparison: Comparison | null }) {
  if (comparison === null) return <div class="skeleton is-line" />;
  if (comparison.before.iou === null && comparison.after.iou === null)
    return <p class="quiet">No relevant region is drawn on this image, so there is nothing to measure its maps against.</p>;
  return (
    <table class="score-table">
      <thead>
        <tr>
          <th scope="col">Against the drawing</th>
          <th scope="col">Before</th>
          <th scope="col">After</th>
        </tr>
      </thead>
      <tbody>
        {FIGURES.map(({ name, says }) => (
          <tr key={name}>
            <th scope="row">{says}</th>
            <td>{comparison.before[name]?.toFixed(2) ?? "–"}</td>
            <td>{comparison.after[name]?.toFixed(2) ?? "–"}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The first plain run against the latest steered one; where there is one run only, against itself. */
export function firstRuns(study: Pick<Study, "runs">): readonly [string, string] | null {
  const { runs } = study;
  if (runs.length === 0) return null;
  const before = runs.find((run) => run.kind === "plain") ?? runs[0]!;
  const after = [...runs].reverse().find((run) => run.kind === "steered") ?? runs.at(-1)!;
  return [before.id, after.id];
}

function useCompareKeys(acts: Partial<Record<ActionId, () => void>>): void {
  const acting = useRef(acts);
  acting.current = acts;
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (isTyping(event.target)) return;
      const onButton = event.target instanceof HTMLElement && event.target.closest("button, a") !== null;
      if (onButton && ["Enter", " "].includes(event.key)) return;
      const action = actionOf(event, "compare");
      const act = action === null ? undefined : acting.current[action];
      if (act === undefined) return;
      event.preventDefault();
      act();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
}
