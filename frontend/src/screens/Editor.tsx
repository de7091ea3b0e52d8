import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import {
  getEdit,
  getHistory,
  getImage,
  getMap,
  giveVerdict,
  type ImageDetail,
  pictureAddress,
  type Revision,
  restore,
  type Study,
  type VerdictKind,
} from "../api/client";
import { decodeEdit, encodeEdit, resample } from "../api/editBytes";
import { COLOUR_MAPS, type ColourMap } from "../colour/maps";
import { Drawer, type Shape } from "../editor/drawing";
import { Repaints, Stage, type Tool } from "../editor/Stage";
import { type Drawing, type Journal, newStroke } from "../journal/journal";
import type { Saver, Saving } from "../journal/saver";
import type { HeatMap } from "../raster/heat";
import { type Mark, Mask } from "../raster/mask";
import { EDITOR_KEYS, typing } from "./keys";

export interface EditorProps {
  study: Study;
  run: string | null;
  imageKey: number;
  /** The order in which next and previous go. */
  queue: readonly number[];
  journal: Journal;
  saver: Saver;
  saving: Saving;
  /** Told apart so that a revision stored while the image is open is the one drawn on next. */
  revisions: Map<number, number>;
  onOpen(key: number | null): void;
}

interface Opened {
  detail: ImageDetail;
  picture: HTMLImageElement;
  drawer: Drawer;
  repaints: Repaints;
  conflict: Drawing | null;
}

const SHAPES: [Shape, string, string][] = [
  ["brush", "Brush", "B"],
  ["polygon", "Polygon", "P"],
  ["ellipse", "Ellipse", "O"],
  ["box", "Box", "R"],
];
const MARKS: [Mark, string, string][] = [
  ["relevant", "Relevant", "B"],
  ["irrelevant", "Irrelevant", "N"],
  ["unknown", "Erase", "E"],
];

/** One image: see where the model looks, and draw where it should. */
export function Editor(props: EditorProps) {
  const { study, run, imageKey: key, queue, journal, saver, revisions } = props;
  const [opened, setOpened] = useState<Opened | null>(null);
  const [fault, setFault] = useState("");
  const [map, setMap] = useState<(HeatMap & { dead: boolean }) | null>(null);
  const [mapFault, setMapFault] = useState("");
  const [shown, setShown] = useState("");
  const [tool, setTool] = useState<Tool>({ shape: "brush", mark: "relevant", radius: 12, softness: 0.2, strength: 1 });
  const [opacity, setOpacity] = useState(0.55);
  const [hidden, setHidden] = useState(false);
  const [colours, setColours] = useState<ColourMap>("viridis");
  const [light, setLight] = useState({ brightness: 1, contrast: 1 });
  const [threshold, setThreshold] = useState(0.5);
  const [maskOpacity, setMaskOpacity] = useState(1);
  const [blind, setBlind] = useState(false);
  const [drawn, setDrawn] = useState(false);
  const [panning, setPanning] = useState(false);
  const [help, setHelp] = useState(false);
  const [comment, setComment] = useState("");
  const [past, setPast] = useState<Revision[] | null>(null);

  const place = queue.indexOf(key);
  const next = queue[place + 1] ?? null;
  const previous = place > 0 ? queue[place - 1] : null;

  useEffect(() => {
    let current = true;
    setOpened(null);
    setFault("");
    setPast(null);
    setComment("");
    setDrawn(false);
    openImage(key, run, journal, revisions).then(
      (found) => current && setOpened(found),
      (error: Error) => current && setFault(error.message),
    );
    return () => {
      current = false;
      void saver.flush();
    };
  }, [key, run]);

  useEffect(() => {
    let current = true;
    setMap(null);
    setMapFault("");
    if (run) {
      getMap(key, run, shown || undefined).then(
        (found) => current && setMap(found),
        (error: Error) => current && setMapFault(error.message),
      );
    }
    return () => {
      current = false;
    };
  }, [key, run, shown]);

  useEffect(() => {
    for (const near of [next, previous]) {
      if (near === null) continue;
      new Image().src = pictureAddress(near);
      if (run) void getMap(near, run).catch(() => undefined);
    }
  }, [key]);

  const keep = () => {
    if (!opened) return;
    setDrawn(true);
    const base = revisions.get(key) ?? 0;
    void saver.drawn({ key, base, stroke: newStroke(), bytes: encodeEdit(opened.drawer.mask) });
  };
  const undo = () => opened?.drawer.undo() && keep();
  const redo = () => opened?.drawer.redo() && keep();
  const judge = async (verdict: VerdictKind) => {
    try {
      await saver.flush();
      await giveVerdict(key, verdict, run, comment);
      if (next !== null) props.onOpen(next);
      else props.onOpen(null);
    } catch (error) {
      setFault((error as Error).message);
    }
  };
  const fillFromMap = (invert: boolean) => {
    if (opened && map && opened.drawer.fillFromMap(map, threshold, invert, tool.mark, tool.strength)) keep();
  };
  const copyPrevious = async () => {
    if (previous === null || !opened) return;
    const pending = await journal.of(previous);
    const mask = pending ? decodeEdit(pending.bytes) : (await getEdit(previous)).mask;
    if (!mask) return;
    const { width, height } = opened.drawer.mask;
    if (opened.drawer.replace(resample(mask, width, height))) keep();
  };
  const bringBack = async (revision: number) => {
    await saver.flush();
    try {
      revisions.set(key, await restore(key, revision, revisions.get(key) ?? 0));
      setOpened(await openImage(key, run, journal, revisions));
      setPast(await getHistory(key));
    } catch (error) {
      setFault((error as Error).message);
    }
  };
  const settle = async (mine: boolean) => {
    const conflict = opened?.conflict ?? (await journal.of(key));
    if (!conflict) return;
    if (mine) {
      const base = conflict.conflict ?? conflict.base;
      revisions.set(key, base);
      await saver.drawn({ key, base, stroke: newStroke(), bytes: conflict.bytes });
      await saver.flush();
    } else {
      await journal.forget(key, conflict.stroke);
      await saver.flush();
    }
    setOpened(await openImage(key, run, journal, revisions));
  };

  useEffect(() => {
    const down = (event: KeyboardEvent) => {
      if (typing(event)) return;
      const letter = event.key.toLowerCase();
      if ((event.ctrlKey || event.metaKey) && letter === "z") event.shiftKey ? redo() : undo();
      else if ((event.ctrlKey || event.metaKey) && letter === "y") redo();
      else if (event.ctrlKey || event.metaKey || event.altKey) return;
      else if (letter === "b") setTool({ ...tool, shape: "brush", mark: "relevant" });
      else if (letter === "n") setTool({ ...tool, shape: "brush", mark: "irrelevant" });
      else if (letter === "e") setTool({ ...tool, mark: "unknown" });
      else if (letter === "p") setTool({ ...tool, shape: "polygon" });
      else if (letter === "o") setTool({ ...tool, shape: "ellipse" });
      else if (letter === "r") setTool({ ...tool, shape: "box" });
      else if (letter === "[") setTool({ ...tool, radius: Math.max(1, tool.radius / 1.25) });
      else if (letter === "]") setTool({ ...tool, radius: Math.min(400, tool.radius * 1.25) });
      else if (letter === "h") setHidden(true);
      else if (letter === " ") setPanning(true);
      else if (letter === "?") setHelp(!help);
      else if (letter === "escape") setHelp(false);
      else if (event.repeat) return;
      else if (letter === "a") void judge("reasonable");
      else if (letter === "0") void judge("nothing");
      else if (letter === "s") void judge("skip");
      else if ((letter === "d" || letter === "arrowright") && next !== null) props.onOpen(next);
      else if ((letter === "f" || letter === "arrowleft") && previous !== null) props.onOpen(previous);
      else if (letter === "c") void copyPrevious();
      else if (letter === "t") props.onOpen(null);
      else return;
      event.preventDefault();
    };
    const up = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() === "h") setHidden(false);
      if (event.key === " ") setPanning(false);
    };
    window.addEventListener("keydown", down);
    window.addEventListener("keyup", up);
    return () => {
      window.removeEventListener("keydown", down);
      window.removeEventListener("keyup", up);
    };
  });

  // A conflict may come up while the image is open: what is in the journal then says so.
  useEffect(() => {
    if (props.saving.state !== "conflict") return;
    void journal.of(key).then((kept) => {
      if (kept?.conflict !== undefined) setOpened((now) => now && { ...now, conflict: kept });
    });
  }, [props.saving, key]);
  const visibleMap = hidden || (blind && !drawn) ? null : map;
  const probabilities = useMemo(
    () => [...(opened?.detail.probabilities ?? [])].sort((a, b) => b.p - a.p),
    [opened],
  );

  return (
    <main class="editor">
      <Toolbar tool={tool} onTool={setTool} onUndo={undo} onRedo={redo} drawer={opened?.drawer} />
      <section class="centre">
        {fault && <p class="fault" role="alert">{fault}</p>}
        {!opened && !fault && <div class="skeleton" aria-label="Loading" />}
        {opened && (
          <Stage
            key={`${key}`}
            picture={opened.picture}
            drawer={opened.drawer}
            repaints={opened.repaints}
            map={visibleMap}
            opacity={opacity}
            maskOpacity={hidden ? 0 : maskOpacity}
            colours={colours}
            tool={tool}
            panning={panning}
            onStroke={keep}
            onHold={(held) => saver.hold(held)}
            {...light}
          />
        )}
        {opened?.conflict && <Conflict onSettle={settle} latest={opened.conflict.conflict ?? 0} />}
        <Filmstrip queue={queue} place={place} onOpen={props.onOpen} />
      </section>
      <aside class="panel" aria-label="Image and map">
        <h1 title={opened?.detail.id}>{opened?.detail.id ?? "…"}</h1>
        <p class="quiet">
          {opened ? `${opened.detail.class} · ${opened.detail.split} · ${place + 1} of ${queue.length}` : " "}
        </p>
        <ul class="probabilities">
          {probabilities.map(({ class: name, p }) => (
            <li key={name} class={name === opened?.detail.class ? "true" : ""}>
              <span class="name">{name}</span>
              <meter min={0} max={1} value={p} aria-label={name} />
              <span class="number">{p.toFixed(2)}</span>
            </li>
          ))}
        </ul>
        {!run && <p class="note">No trained run yet: draw now, train later.</p>}
        {mapFault && <p class="note" role="alert">{mapFault}</p>}
        {map?.dead && <p class="note">The map is zero everywhere: the model shows no place it looks at.</p>}
        <Group title="Heat map and drawing">
          <Slider label="Heat map" min={0} max={1} step={0.01} value={opacity} onValue={setOpacity} />
          <Slider label="Drawing" min={0} max={1} step={0.01} value={maskOpacity} onValue={setMaskOpacity} />
          <Choice label="Colours" value={colours} options={COLOUR_MAPS} onValue={(v) => setColours(v as ColourMap)} />
          <Choice label="Class" value={shown} options={["", ...study.classes]} empty="true class" onValue={setShown} />
          <label class="check">
            <input type="checkbox" checked={blind} onChange={(event) => setBlind(event.currentTarget.checked)} />
            hide it until I have drawn
          </label>
        </Group>
        <Group title="Start from the map">
          <Slider label="Threshold" min={0.05} max={0.95} step={0.01} value={threshold} onValue={setThreshold} />
          <div class="row">
            <button type="button" disabled={!map} onClick={() => fillFromMap(false)}>Take what is hot</button>
            <button type="button" disabled={!map} onClick={() => fillFromMap(true)}>Take the rest</button>
          </div>
        </Group>
        <Group title="Picture">
          <Slider label="Brightness" min={0.2} max={3} step={0.05} value={light.brightness}
            onValue={(brightness) => setLight({ ...light, brightness })} />
          <Slider label="Contrast" min={0.2} max={4} step={0.05} value={light.contrast}
            onValue={(contrast) => setLight({ ...light, contrast })} />
        </Group>
        <Group title="Verdict">
          <textarea placeholder="Comment (optional)" aria-label="Comment" value={comment}
            onInput={(event) => setComment(event.currentTarget.value)} />
          <button type="button" class="wide" onClick={() => judge("reasonable")}>Accept the map as it is <kbd>A</kbd></button>
          <button type="button" class="wide" onClick={() => judge("nothing")}>Nothing here is relevant <kbd>0</kbd></button>
          <button type="button" class="wide" onClick={() => judge("skip")}>Skip <kbd>S</kbd></button>
        </Group>
        <Group title="Revisions">
          {past === null ? (
            <button type="button" class="wide" onClick={() => getHistory(key).then(setPast, (e: Error) => setFault(e.message))}>
              Show earlier edits
            </button>
          ) : past.length === 0 ? (
            <p class="quiet">Nobody has drawn here yet.</p>
          ) : (
            <ol class="revisions">
              {past.map((entry) => (
                <li key={entry.revision}>
                  <span>{entry.revision} · {entry.author} · {new Date(entry.time).toLocaleString()}</span>
                  <button type="button" onClick={() => bringBack(entry.revision)}>Restore</button>
                </li>
              ))}
            </ol>
          )}
        </Group>
      </aside>
      {help && <Help onClose={() => setHelp(false)} />}
    </main>
  );
}

/** Load all that the editor of one image shows; what only this browser has comes before what the server has. */
async function openImage(
  key: number,
  run: string | null,
  journal: Journal,
  revisions: Map<number, number>,
): Promise<Opened> {
  const picture = new Image();
  picture.src = pictureAddress(key);
  const [detail, stored, pending] = await Promise.all([
    getImage(key, run),
    getEdit(key),
    journal.of(key),
    picture.decode(),
  ]);
  revisions.set(key, stored.revision);
  const { width, height } = detail;
  const kept = pending ? decodeEdit(pending.bytes) : stored.mask;
  const mask = kept ? resample(kept, width, height) : new Mask(width, height);
  const repaints = new Repaints();
  const drawer = new Drawer(mask, repaints.announce);
  return { detail, picture, drawer, repaints, conflict: pending?.conflict !== undefined ? pending : null };
}

function Toolbar(props: {
  tool: Tool;
  onTool(tool: Tool): void;
  onUndo(): void;
  onRedo(): void;
  drawer: Drawer | undefined;
}) {
  const { tool, onTool } = props;
  return (
    <nav class="tools" aria-label="Tools">
      {MARKS.map(([mark, name, key]) => (
        <button key={mark} type="button" class={`mark ${mark}`} aria-pressed={tool.mark === mark} title={`${name} (${key})`}
          onClick={() => onTool({ ...tool, mark })}>
          <i aria-hidden="true" />
          {name}
          <kbd>{key}</kbd>
        </button>
      ))}
      <hr />
      {SHAPES.map(([shape, name, key]) => (
        <button key={shape} type="button" aria-pressed={tool.shape === shape} title={`${name} (${key})`}
          onClick={() => onTool({ ...tool, shape })}>
          {name}
          <kbd>{key}</kbd>
        </button>
      ))}
      <hr />
      <Slider label="Size" min={1} max={200} step={1} value={tool.radius} onValue={(radius) => onTool({ ...tool, radius })} />
      <Slider label="Soft edge" min={0} max={1} step={0.05} value={tool.softness}
        onValue={(softness) => onTool({ ...tool, softness })} />
      <Slider label="Strength" min={0.1} max={1} step={0.05} value={tool.strength}
        onValue={(strength) => onTool({ ...tool, strength })} />
      <hr />
      <button type="button" onClick={props.onUndo} title="Undo (Ctrl+Z)">Undo</button>
      <button type="button" onClick={props.onRedo} title="Redo (Ctrl+Y)">Redo</button>
    </nav>
  );
}

function Filmstrip(props: { queue: readonly number[]; place: number; onOpen(key: number): void }) {
  const from = Math.max(0, props.place - 4);
  return (
    <nav class="filmstrip" aria-label="Images of the queue">
      {props.queue.slice(from, from + 12).map((key, index) => (
        <button key={key} type="button" aria-current={from + index === props.place ? "true" : undefined}
          onClick={() => props.onOpen(key)} aria-label={`Image ${from + index + 1}`}>
          <img src={pictureAddress(key, true)} alt="" loading="lazy" />
        </button>
      ))}
    </nav>
  );
}

function Conflict(props: { latest: number; onSettle(mine: boolean): void }) {
  return (
    <div class="conflict" role="alert">
      <p>Somebody else saved revision {props.latest} of this image while you drew. Yours is kept in this browser.</p>
      <button type="button" onClick={() => props.onSettle(true)}>Save mine as the newest</button>
      <button type="button" onClick={() => props.onSettle(false)}>Take theirs</button>
    </div>
  );
}

function Help(props: { onClose(): void }) {
  return (
    <div class="help" role="dialog" aria-label="Keys">
      <h2>Keys</h2>
      <dl>
        {EDITOR_KEYS.map(([key, what]) => (
          <div key={key}>
            <dt><kbd>{key}</kbd></dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <button type="button" onClick={props.onClose}>Close</button>
    </div>
  );
}

function Group(props: { title: string; children: ComponentChildren }) {
  return (
    <section class="group">
      <h2>{props.title}</h2>
      {props.children}
    </section>
  );
}

function Slider(props: {
  label: string;
  min: number;
  max: number;
  step: number;
  value: number;
  onValue(value: number): void;
}) {
  const { label, onValue, ...rest } = props;
  return (
    <label class="slider">
      {label}
      <input type="range" {...rest} onInput={(event) => onValue(Number(event.currentTarget.value))} />
    </label>
  );
}

function Choice(props: {
  label: string;
  value: string;
  options: readonly string[];
  empty?: string;
  onValue(value: string): void;
}) {
  return (
    <label class="choice">
      {props.label}
      <select value={props.value} onChange={(event) => props.onValue(event.currentTarget.value)}>
        {props.options.map((option) => (
          <option key={option} value={option}>{option || props.empty}</option>
        ))}
      </select>
    </label>
  );
}
