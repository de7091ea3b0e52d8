import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { detailOf } from "../../api/errors";
import type { RatingResult } from "../../api/messages";
import {
  fetchRatingResults, fetchRatingStanding, fetchTrial, fetchTrialMap, postRating, type RatingQuestion,
} from "../../api/server";
import { ACTIONS, actionOf, isTyping } from "../../keys/actions";
import { useHeldKey } from "../held_key";
import { MapPicture } from "../MapPicture";
import { goToTriage } from "../routes";
import { ScreenLinks } from "../ScreenLinks";
import { SPLIT_NAMES } from "../wording";
import { useChanges, useWorkplace } from "../workplace";
import { RatingRound } from "./rating";

const VALUES = [1, 2, 3, 4, 5];

/** Blind rating: first which runs, then one map after the other, then what all said. */
export function RateScreen({ showHelp }: { showHelp: () => void }) {
  const { study } = useWorkplace();
  const [question, setQuestion] = useState<RatingQuestion | null>(null);
  useEffect(() => {
    document.title = `Rate · ${study.name} · Visteer`;
  }, []);
  return (
    <div class="rate">
      {question === null ? (
        <RatingSetup showHelp={showHelp} start={setQuestion} />
      ) : (
        <RatingTrials question={question} showHelp={showHelp} leave={() => setQuestion(null)} />
      )}
    </div>
  );
}

function RatingSetup({ showHelp, start }: { showHelp: () => void; start: (question: RatingQuestion) => void }) {
  const { study } = useWorkplace();
  const [runs, setRuns] = useState<readonly string[]>(study.runs.map((run) => run.id).slice(-MOST_RUNS));
  const [split, setSplit] = useState(study.splits.includes("test") ? "test" : (study.splits[0] ?? "test"));
  const main = useRef<HTMLButtonElement>(null);
  useEffect(() => main.current?.focus(), []);
  useRateKeys({ "rate-leave": goToTriage });
  return (
    <>
      <RateBar showHelp={showHelp} />
      <main class="rate-setup">
        <h1>Rate maps blind</h1>
        <p>
          You see one map after the other, of several runs in random order, and are never told whose map it is. Say how well it
          looks where an expert looks: 1 is exactly there, 5 is somewhere else. You can stop at any time and go on later.
        </p>
        {study.runs.length === 0 ? (
          <p class="quiet">No run is finished, so there are no maps. Train one with visteer train.</p>
        ) : (
          <form
            onSubmit={(event) => {
              event.preventDefault();
              start({ runs, split });
            }}
          >
            <fieldset>
              <legend>Runs</legend>
              {study.runs.map((run) => (
                <label key={run.id} class="check">
                  <input
                    type="checkbox"
                    checked={runs.includes(run.id)}
                    onChange={(event) =>
                      setRuns(event.currentTarget.checked ? [...runs, run.id] : runs.filter((id) => id !== run.id))
                    }
                  />
                  {run.id}
                </label>
              ))}
            </fieldset>
            <label class="field">
              <span>Images</span>
              <select value={split} onChange={(event) => setSplit(event.currentTarget.value as typeof split)}>
                {study.splits.map((name) => (
                  <option key={name} value={name}>
                    {SPLIT_NAMES[name] ?? name}
                  </option>
                ))}
              </select>
            </label>
            {runs.length === 1 && <p class="quiet">With one run there is nothing to be blind to: choose two or more.</p>}
            {runs.length > MOST_RUNS && <p class="quiet">Choose at most {MOST_RUNS} runs.</p>}
            <button ref={main} class="button is-main" disabled={runs.length === 0 || runs.length > MOST_RUNS}>
              Start
            </button>
          </form>
        )}
      </main>
    </>
  );
}

interface TrialsProps {
  readonly question: RatingQuestion;
  readonly showHelp: () => void;
  readonly leave: () => void;
}

function RatingTrials({ question, showHelp, leave }: TrialsProps) {
  const { cache, preferences } = useWorkplace();
  const round = useMemo(
    () =>
      new RatingRound(question, {
        standing: fetchRatingStanding,
        trial: fetchTrial,
        map: fetchTrialMap,
        picture: (key) => cache.picture(key),
        post: postRating,
      }),
    [question],
  );
  useChanges(round);
  useEffect(() => void round.start(), [round]);
  const held = useHeldKey("h");
  const rate = (value: number) => void round.rate(value);
  const back = () => void round.goTo(round.number - 1);
  const skip = () => !round.done && void round.goTo(round.number + 1);
  useRateKeys({
    "rate-1": () => rate(1), "rate-2": () => rate(2), "rate-3": () => rate(3), "rate-4": () => rate(4), "rate-5": () => rate(5),
    "rate-back": back, "rate-skip": skip, "rate-leave": leave,
  });
  const { shown } = round;
  return (
    <>
      <RateBar showHelp={showHelp}>
        <span class="count" aria-live="polite">
          {round.total === 0 ? "…" : `${Math.min(round.number + 1, round.total)} / ${round.total}`}
        </span>
        <span class="quiet">{round.rated} rated</span>
      </RateBar>
      {round.error !== null && shown === null ? (
        <main class="notice is-inside">
          <h2>The maps cannot be shown</h2>
          <p>{round.error}</p>
          <button class="button is-main" onClick={() => void (round.total === 0 ? round.start() : round.goTo(round.number))}>
            Try again
          </button>
        </main>
      ) : round.done ? (
        <RatingEnd round={round} leave={leave} />
      ) : (
        <main class="rate-main" aria-label="Map to rate" aria-busy={shown === null}>
          <div class="rate-stage">
            {shown === null ? (
              <div class="stage-skeleton skeleton" />
            ) : (
              <MapPicture
                picture={shown.picture}
                map={shown.map}
                opacity={held ? 0 : preferences.heatOpacity}
                colourMap={preferences.colourMap}
                label={`A map on an image of the class ${shown.trial.class}`}
              />
            )}
            {shown?.map.dead === true && <p class="hint is-low">This map is zero everywhere: it looks nowhere.</p>}
          </div>
          <footer class="rate-foot">
            <p>
              The image is of the class <b><bdi>{shown?.trial.class ?? "…"}</bdi></b>. Does the map look where an expert looks?
            </p>
            <div class="rate-values" role="group" aria-label="Rating">
              {VALUES.map((value) => (
                <button
                  key={value}
                  class="button rate-value"
                  aria-pressed={round.value === value}
                  disabled={shown === null || round.sending !== null}
                  onClick={() => rate(value)}
                >
                  <kbd>{value}</kbd>
                  {ACTIONS.find((action) => action.id === `rate-${value}`)!.says}
                </button>
              ))}
            </div>
            <div class="rate-steps">
              <button class="link" disabled={round.number === 0} onClick={back}>
                Back
              </button>
              <span class="quiet" role="status">
                {round.error === null ? "Hold H to see the picture alone" : `Not kept yet: ${round.error}`}
              </span>
              <button class="link" onClick={skip}>
                Later
              </button>
            </div>
          </footer>
        </main>
      )}
    </>
  );
}

function RatingEnd({ round, leave }: { round: RatingRound; leave: () => void }) {
  const [results, setResults] = useState<RatingResult[] | null>(null);
  const [error, setError] = useState("");
  const show = () => fetchRatingResults(round.question).then(setResults, (reason: unknown) => setError(detailOf(reason)));
  const left = round.total - round.rated;
  return (
    <main class="rate-setup">
      <h1>{left <= 0 ? "All maps are rated" : `${left} of ${round.total} maps are left for later`}</h1>
      <p>Your ratings are kept with the study, and visteer report shows them. Results are hidden until you ask, so that they do not lead you.</p>
      <div class="rate-end">
        {left > 0 && (
          <button class="button is-main" onClick={() => void round.start()}>
            Rate what is left
          </button>
        )}
        <button class="button" onClick={() => void show()}>
          Show the results
        </button>
        <button class="button" onClick={() => void round.again()}>
          Go through them again
        </button>
        <button class="button" onClick={leave}>
          Other runs
        </button>
      </div>
      {error !== "" && <p class="is-wrong">{error}</p>}
      {results !== null && (
        <table class="score-table">
          <caption class="quiet">1 is best, 5 worst; mean over images with its 95 % interval</caption>
          <thead>
            <tr>
              <th scope="col">Run</th>
              <th scope="col">Mean rating</th>
              <th scope="col">Images</th>
              <th scope="col">Raters</th>
              <th scope="col" title="Krippendorff's alpha, ordinal: 1 is perfect agreement, 0 is chance">
                Agreement
              </th>
            </tr>
          </thead>
          <tbody>
            {results.map((result) => (
              <tr key={result.run}>
                <th scope="row">{result.run}</th>
                <td>{result.mean === null ? "–" : `${result.mean.toFixed(2)} (${result.low?.toFixed(2) ?? "–"} to ${result.high?.toFixed(2) ?? "–"})`}</td>
                <td>{result.images}</td>
                <td>{result.raters}</td>
                <td>{result.alpha === null ? "–" : result.alpha.toFixed(2)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </main>
  );
}

function RateBar({ showHelp, children }: { showHelp: () => void; children?: preact.ComponentChildren }) {
  return (
    <header class="bar">
      <ScreenLinks screen="rate" />
      <span class="bar-space" />
      {children}
      <button class="button is-icon" aria-label="Help and keys" title="Help and keys (?)" onClick={showHelp}>
        ?
      </button>
    </header>
  );
}

/** Keys of this screen. A digit also works while a button has the focus. */
function useRateKeys(acts: Partial<Record<string, () => void>>): void {
  const acting = useRef(acts);
  acting.current = acts;
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (isTyping(event.target) || event.repeat) return;
      const action = actionOf(event, "rate");
      const act = action === null ? undefined : acting.current[action];
      if (act === undefined) return;
      event.preventDefault();
      act();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
}

const MOST_RUNS = 8;
