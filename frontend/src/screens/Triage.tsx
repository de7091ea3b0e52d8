import { useEffect, useRef, useState } from "preact/hooks";
import { getImages, getMap, type ImageList, type Item, pictureAddress, type Study } from "../api/client";
import { colourTable } from "../colour/maps";
import { heatPixels } from "../raster/heat";
import { typing } from "./keys";

export interface Filters {
  split: string;
  class_: string;
  state: string;
  group: string;
  search: string;
  sort: string;
  /** Changes when another tab has saved, so that the list is read anew. */
  news: string;
}

export const NO_FILTERS: Filters = { split: "", class_: "", state: "", group: "", search: "", sort: "queue", news: "" };

const PAGE = 200;
const TILE = 172;
const TILE_HEIGHT = 216;
const HEAT_SIDE = 64;
const SORTS = { queue: "most worth a look", misalignment: "misalignment", confidence: "confidence", class: "class", state: "state", name: "name" };
const ORDER: Record<string, string> = { queue: "desc", misalignment: "desc", confidence: "desc" };
const STATES = { none: "to do", edited: "drawn", accepted: "accepted", nothing: "nothing relevant", skipped: "skipped" } as const;
const COLOURS = colourTable("viridis");

export interface TriageProps {
  study: Study;
  run: string | null;
  filters: Filters;
  onFilters(filters: Filters): void;
  onQueue(keys: readonly number[]): void;
  onOpen(key: number): void;
}

/** All images: which are right for the right reason, and which to look at first. */
export function Triage(props: TriageProps) {
  const { study, run, filters, onFilters } = props;
  const [list, setList] = useState<ImageList | null>(null);
  const [items, setItems] = useState<ReadonlyMap<number, Item>>(new Map());
  const [fault, setFault] = useState("");
  const asked = useRef(new Set<number>());
  const query = { ...filters, news: null, run, order: ORDER[filters.sort] ?? "asc" };
  const name = JSON.stringify([filters, run]);
  const latest = useRef(name);
  latest.current = name;

  const load = async (offset: number) => {
    if (asked.current.has(offset)) return;
    asked.current.add(offset);
    try {
      const part = await getImages({ ...query, offset, limit: PAGE });
      if (latest.current !== name) return;
      setList(part);
      setItems((before) => new Map([...before, ...part.items.map((item, at) => [offset + at, item] as const)]));
      setFault("");
    } catch (error) {
      asked.current.delete(offset);
      if (latest.current === name) setFault((error as Error).message);
    }
  };
  useEffect(() => {
    asked.current = new Set();
    setItems(new Map());
    void load(0);
  }, [name]);
  useEffect(() => {
    props.onQueue([...items].sort(([a], [b]) => a - b).map(([, item]) => item.key));
  }, [items]);

  const set = (change: Partial<Filters>) => onFilters({ ...filters, ...change });
  return (
    <main class="triage">
      <aside class="panel" aria-label="Filters">
        <Matrix list={list} group={filters.group} onGroup={(group) => set({ group })} />
        {list && !Object.values(list.counts).some(Boolean) && run && (
          <p class="note">No predictions yet for these images. Whoever runs the study can make them: visteer explain.</p>
        )}
        <Progress list={list} state={filters.state} onState={(state) => set({ state })} />
        <label class="choice">
          Search
          <input type="search" value={filters.search} placeholder="name" onInput={(event) => set({ search: event.currentTarget.value })} />
        </label>
        <Select label="Class" value={filters.class_} options={study.classes} onValue={(class_) => set({ class_ })} />
        <Select label="Split" value={filters.split} options={study.splits} onValue={(split) => set({ split })} />
        <label class="choice">
          Sort by
          <select value={filters.sort} onChange={(event) => set({ sort: event.currentTarget.value })}>
            {Object.entries(SORTS).map(([sort, what]) => (
              <option key={sort} value={sort}>{what}</option>
            ))}
          </select>
        </label>
        <button type="button" class="wide" onClick={() => onFilters(NO_FILTERS)}>Show all</button>
        <button type="button" class="wide primary" disabled={!items.has(0)} onClick={() => props.onOpen(items.get(0)!.key)}>
          Start
        </button>
      </aside>
      <section class="list">
        {fault && <p class="fault" role="alert">{fault}</p>}
        {!list && !fault && <div class="skeleton" aria-label="Loading" />}
        {list?.total === 0 && <p class="empty">No image is like this. Press “Show all” to see every image again.</p>}
        {list && list.total > 0 && (
          <Grid total={list.total} items={items} run={run} onNeed={(offset) => void load(offset)} onOpen={props.onOpen} />
        )}
      </section>
    </main>
  );
}

/** Only the tiles in view exist; the rest is empty room of the right height. */
function Grid(props: {
  total: number;
  items: ReadonlyMap<number, Item>;
  run: string | null;
  onNeed(offset: number): void;
  onOpen(key: number): void;
}) {
  const { total, items } = props;
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, width: 1000, height: 800 });
  const [at, setAt] = useState(0);
  useEffect(() => {
    const element = box.current!;
    const read = () => setView({ top: element.scrollTop, width: element.clientWidth, height: element.clientHeight });
    const sized = new ResizeObserver(read);
    sized.observe(element);
    element.addEventListener("scroll", read, { passive: true });
    return () => {
      sized.disconnect();
      element.removeEventListener("scroll", read);
    };
  }, []);
  const columns = Math.max(1, Math.floor(view.width / TILE));
  const first = Math.max(0, Math.floor(view.top / TILE_HEIGHT) - 1) * columns;
  const last = Math.min(total, first + (Math.ceil(view.height / TILE_HEIGHT) + 2) * columns);
  useEffect(() => {
    for (let page = Math.floor(first / PAGE); page * PAGE < last; page++) props.onNeed(page * PAGE);
  }, [first, last, props.onNeed]);
  useEffect(() => {
    const down = (event: KeyboardEvent) => {
      if (typing(event)) return;
      const steps: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
      if (event.key in steps) {
        const next = Math.min(total - 1, Math.max(0, at + steps[event.key]));
        setAt(next);
        const row = Math.floor(next / columns) * TILE_HEIGHT;
        const element = box.current!;
        if (row < element.scrollTop) element.scrollTop = row;
        if (row + TILE_HEIGHT > element.scrollTop + element.clientHeight) element.scrollTop = row + TILE_HEIGHT - element.clientHeight;
        event.preventDefault();
      } else if (event.key === "Enter" && document.activeElement?.tagName !== "BUTTON") {
        const item = items.get(at);
        if (item) props.onOpen(item.key);
      }
    };
    window.addEventListener("keydown", down);
    return () => window.removeEventListener("keydown", down);
  });
  const tiles = [];
  for (let place = first; place < last; place++) {
    const item = items.get(place);
    tiles.push(
      <Place key={place} left={(place % columns) * TILE} top={Math.floor(place / columns) * TILE_HEIGHT}>
        {item ? <Tile item={item} run={props.run} chosen={place === at} onOpen={props.onOpen} /> : <div class="tile skeleton" />}
      </Place>,
    );
  }
  return (
    <div ref={box} class="grid" aria-label={`${total} images`}>
      <Room height={Math.ceil(total / columns) * TILE_HEIGHT}>{tiles}</Room>
    </div>
  );
}

function Room(props: { height: number; children: preact.ComponentChildren }) {
  return <div class="room" style={{ height: props.height }}>{props.children}</div>;
}

function Place(props: { left: number; top: number; children: preact.ComponentChildren }) {
  return <div class="place" style={{ transform: `translate(${props.left}px, ${props.top}px)` }}>{props.children}</div>;
}

function Tile(props: { item: Item; run: string | null; chosen: boolean; onOpen(key: number): void }) {
  const { item, run } = props;
  const heat = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    let current = true;
    if (run) {
      getMap(item.key, run).then(
        (map) => {
          const pixels = heatPixels(map, HEAT_SIDE, HEAT_SIDE, COLOURS);
          if (current) heat.current?.getContext("2d")?.putImageData(new ImageData(pixels, HEAT_SIDE), 0, 0);
        },
        () => undefined, // the tile shows the picture alone; the editor says why
      );
    }
    return () => {
      current = false;
    };
  }, [item.key, run]);
  const sign = item.right === null ? "" : item.right ? "✓ " : "✗ ";
  return (
    <button type="button" class={`tile ${props.chosen ? "chosen" : ""}`} onClick={() => props.onOpen(item.key)} title={item.id}>
      <span class="picture">
        <img src={pictureAddress(item.key, true)} alt="" loading="lazy" />
        <canvas ref={heat} width={HEAT_SIDE} height={HEAT_SIDE} />
        <span class={`state ${item.state}`}>{STATES[item.state]}</span>
      </span>
      <span class="name">{item.id}</span>
      <span class={`said ${item.right === false ? "wrong" : ""}`}>
        {item.predicted === null ? item.class : `${sign}${item.predicted} ${item.confidence?.toFixed(2) ?? ""}`}
      </span>
    </button>
  );
}

function Matrix(props: { list: ImageList | null; group: string; onGroup(group: string): void }) {
  const count = (group: string) => props.list?.counts[group as keyof ImageList["counts"]] ?? 0;
  const cell = (group: string, what: string) => (
    <td>
      <button type="button" aria-pressed={props.group === group} title={what}
        onClick={() => props.onGroup(props.group === group ? "" : group)}>
        {count(group)}
      </button>
    </td>
  );
  return (
    <table class="matrix">
      <caption>Prediction and attention</caption>
      <thead>
        <tr><td /><th scope="col">right</th><th scope="col">wrong</th></tr>
      </thead>
      <tbody>
        {(["reasonable", "unreasonable", "unjudged"] as const).map((judged) => (
          <tr key={judged}>
            <th scope="row">{judged === "unjudged" ? "not judged" : judged}</th>
            {cell(`right_${judged}`, `prediction right, attention ${judged}`)}
            {cell(`wrong_${judged}`, `prediction wrong, attention ${judged}`)}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Progress(props: { list: ImageList | null; state: string; onState(state: string): void }) {
  const states = props.list?.states;
  const all = states ? Object.values(states).reduce((sum, count) => sum + count, 0) : 0;
  const open = states?.none ?? 0;
  return (
    <section class="group">
      <h2>{all - open} of {all} seen to</h2>
      <progress max={Math.max(all, 1)} value={all - open} />
      <div class="chips">
        {Object.entries(STATES).map(([state, what]) => (
          <button key={state} type="button" aria-pressed={props.state === state}
            onClick={() => props.onState(props.state === state ? "" : state)}>
            {what} {states?.[state as keyof typeof STATES] ?? 0}
          </button>
        ))}
      </div>
    </section>
  );
}

function Select(props: { label: string; value: string; options: readonly string[]; onValue(value: string): void }) {
  return (
    <label class="choice">
      {props.label}
      <select value={props.value} onChange={(event) => props.onValue(event.currentTarget.value)}>
        <option value="">all</option>
        {props.options.map((option) => (
          <option key={option} value={option}>{option}</option>
        ))}
      </select>
    </label>
  );
}
