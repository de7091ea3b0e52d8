import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { GroupName, ImagePage, StateName } from "../../api/messages";
import { allImages, isNarrowed, type Filters } from "../../lists/filters";
import { GROUPS, SPLIT_NAMES, STATES } from "../wording";
import { useChanges, useWorkplace } from "../workplace";

const SEARCH_MS = 250;

/** The matrix, the states, the filters, and how far the expert is. */
export function FilterPanel({ searchField, start }: { searchField: RefObject<HTMLInputElement | null>; start: () => void }) {
  const workplace = useWorkplace();
  const { filters, list, study } = workplace;
  useChanges(list);
  // While the next list is on its way the last counts stay, so that nothing jumps.
  const last = useRef<ImagePage | null>(null);
  if (list.first !== null) last.current = list.first;
  const page = last.current;
  const filter = (change: Partial<Filters>) => workplace.filter(change);
  return (
    <aside class="panel triage-panel" aria-label="Filters">
      <div class="brand">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <path d="M3 16c4-7 9-9.500 13-9.500s9 2.500 13 9.500c-4 7-9 9.500-13 9.500s-9-2.500-13-9.500z" />
          <circle cx="16" cy="16" r="4.500" />
        </svg>
        Visteer
      </div>
      <Matrix page={page} filters={filters} choose={(group) => filter({ group: filters.group === group ? null : group })} />
      <Unpredicted page={page} filters={filters} />
      <Progress page={page} />
      <div class="chips" role="group" aria-label="State">
        {(Object.keys(STATES) as StateName[]).map((state) => (
          <button
            key={state}
            class="chip"
            data-state={state}
            aria-pressed={filters.state === state}
            onClick={() => filter({ state: filters.state === state ? null : state })}
          >
            <i aria-hidden="true" />
            {STATES[state]}
            <b>{page?.states[state] ?? "–"}</b>
          </button>
        ))}
      </div>
      <div class="fields">
        <SearchField field={searchField} value={filters.search} change={(search) => filter({ search })} />
        <Choice label="Class" all="All classes" value={filters.class_} values={study.classes} change={(class_) => filter({ class_ })} />
        <Choice
          label="Split"
          all="All splits"
          value={filters.split}
          values={study.splits}
          names={SPLIT_NAMES}
          change={(split) => filter({ split })}
        />
        <Choice label="Author" all="Anybody" value={filters.author} values={[...workplace.authors].sort()} change={(author) => filter({ author })} />
        {study.runs.length > 0 && (
          <label class="field">
            <span>Run</span>
            <select value={filters.run ?? ""} onChange={(event) => filter({ run: event.currentTarget.value })}>
              {study.runs.map((run) => (
                <option key={run.id} value={run.id}>
                  {run.id}
                </option>
              ))}
            </select>
          </label>
        )}
        {isNarrowed(filters) && (
          <button class="link" onClick={() => filter({ ...allImages(filters.run), sort: filters.sort, order: filters.order })}>
            Clear the filters
          </button>
        )}
      </div>
      <span class="bar-space" />
      {study.runs.length === 0 && (
        <p class="quiet">No run is finished, so there are no maps and no predictions. Train one with visteer train.</p>
      )}
      <button class="button is-main is-wide" onClick={start} disabled={(list.total ?? 0) === 0}>
        Open <kbd>Enter</kbd>
      </button>
    </aside>
  );
}

const COLUMNS = ["reasonable", "unreasonable", "unjudged"] as const;

function Matrix({ page, filters, choose }: { page: ImagePage | null; filters: Filters; choose: (group: GroupName) => void }) {
  const most = Math.max(1, ...Object.values(page?.counts ?? {}));
  return (
    <table class="matrix" aria-label="Images by prediction and attention">
      <thead>
        <tr>
          <td />
          <th scope="col" title="The model looks where it should">Reason&shy;able</th>
          <th scope="col" title="The model looks elsewhere">Unreason&shy;able</th>
          <th scope="col" title="Nobody has said">Not judged</th>
        </tr>
      </thead>
      <tbody>
        {(["right", "wrong"] as const).map((row) => (
          <tr key={row}>
            <th scope="row">{row === "right" ? "Right" : "Wrong"}</th>
            {COLUMNS.map((column) => {
              const group: GroupName = `${row}_${column}`;
              const count = page?.counts[group];
              return (
                <td key={column}>
                  <button
                    class="matrix-cell"
                    aria-pressed={filters.group === group}
                    aria-label={`${GROUPS[group]}: ${count ?? "not known yet"}`}
                    title={GROUPS[group]}
                    onClick={() => choose(group)}
                  >
                    {count ?? "–"}
                    <i aria-hidden="true" style={{ width: `${(100 * (count ?? 0)) / most}%` }} />
                  </button>
                </td>
              );
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Images without a prediction are in no field of the matrix: say so, rather than leave them out silently. */
/** How many images of the list have no prediction by the run in hand; 0 where that cannot be told. */
export function unpredicted(page: ImagePage | null, filters: Filters): number {
  if (page === null || filters.run === null || filters.group !== null) return 0;
  return Math.max(0, page.total - Object.values(page.counts).reduce((sum, count) => sum + count, 0));
}

function Unpredicted({ page, filters }: { page: ImagePage | null; filters: Filters }) {
  const missing = unpredicted(page, filters);
  if (missing === 0) return null;
  return (
    <p class="quiet is-note">
      {missing} {missing === 1 ? "image has" : "images have"} no prediction yet.
    </p>
  );
}

function Progress({ page }: { page: ImagePage | null }) {
  const counts = page === null ? [] : Object.values(page.states);
  const all = counts.reduce((sum, count) => sum + count, 0);
  const done = all - (page?.states.none ?? 0);
  return (
    <div class="progress">
      <div class="progress-text">
        <span>Looked at</span>
        <span>
          {done} of {all}
        </span>
      </div>
      <div class="progress-line" role="progressbar" aria-label="Looked at" aria-valuemin={0} aria-valuemax={all} aria-valuenow={done}>
        <i style={{ width: `${all === 0 ? 0 : (100 * done) / all}%` }} />
      </div>
    </div>
  );
}

function SearchField(props: { field: RefObject<HTMLInputElement | null>; value: string; change: (value: string) => void }) {
  const [text, setText] = useState(props.value);
  useEffect(() => setText(props.value), [props.value]);
  useEffect(() => {
    if (text === props.value) return;
    const timer = setTimeout(() => props.change(text), SEARCH_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <label class="field">
      <span>Search</span>
      <input
        ref={props.field}
        type="search"
        maxLength={200}
        placeholder="Name or class"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Escape" && event.currentTarget.blur()}
      />
    </label>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly all: string;
  readonly value: string | null;
  readonly values: readonly string[];
  readonly names?: Record<string, string>;
  readonly change: (value: string | null) => void;
}

function Choice({ label, all, value, values, names = {}, change }: ChoiceProps) {
  return (
    <label class="field">
      <span>{label}</span>
      <select
        value={value === null ? "0" : String(values.indexOf(value) + 1)}
        onChange={(event) => change(values[Number(event.currentTarget.value) - 1] ?? null)}
      >
        <option value="0">{all}</option>
        {values.map((one, i) => (
          <option key={one} value={String(i + 1)}>
            {names[one] ?? one}
          </option>
        ))}
      </select>
    </label>
  );
}
