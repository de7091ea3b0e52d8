import type { ConsensusMethod } from "../../api/messages";
import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { ActionId } from "../../keys/actions";
import type { SetAside } from "../../journal/journal";
import { COLOUR_MAPS, colourTable, type ColourMapName } from "../../heat/colour_maps";
import { LEAST_PIECES, MOST_PIECES, withPieces, type ToolSettings } from "../../tools/settings";
import type { Window } from "../../view/stage";
import { percent, SPLIT_NAMES } from "../wording";
import { useWorkplace } from "../workplace";
import { AgreementPanel } from "./AgreementPanel";
import { HistoryList } from "./HistoryList";
import type { OpenImage } from "./open_image";

interface Props {
  readonly image: OpenImage;
  readonly comment: RefObject<HTMLTextAreaElement | null>;
  readonly tool: ToolSettings;
  readonly setTool: (change: Partial<ToolSettings>) => void;
  readonly window: Window;
  readonly setWindow: (window: Window) => void;
  readonly historyOpen: boolean;
  readonly makeConsensus: (method: ConsensusMethod) => void;
  readonly restore: (revision: number) => void;
  readonly takeAside: (aside: SetAside) => void;
  readonly hidden: boolean;
  readonly revealed: boolean;
  readonly busy: boolean;
  readonly act: (action: ActionId) => void;
}

export function SidePanel(props: Props) {
  const { image, act, busy, historyOpen } = props;
  return (
    <aside class="panel editor-panel" aria-label="About this image">
      <div class="panel-scroll">
        <Prediction image={image} hidden={props.hidden} />
        <MapSettings {...props} />
        <BrushSettings {...props} />
        <section class="block">
          <button class="block-title is-button" aria-expanded={historyOpen} onClick={() => act("history")}>
            History <kbd>I</kbd>
          </button>
          {historyOpen && <AgreementPanel image={image} makeConsensus={props.makeConsensus} />}
          {historyOpen && <HistoryList image={image} restore={props.restore} takeAside={props.takeAside} />}
        </section>
        <Comment image={image} field={props.comment} />
      </div>
      <div class="judge" role="group" aria-label="Judge the map">
        <button class="button is-main is-first" disabled={busy} onClick={() => act("accept")} title="The map is reasonable as it is">
          Accept as it is <kbd>A</kbd>
        </button>
        <button class="button is-second" disabled={busy} onClick={() => act("skip")} title="Say nothing, and go on">
          Skip <kbd>S</kbd>
        </button>
        <button class="button" disabled={busy} onClick={() => act("nothing")} title="Nothing here is relevant: every cell becomes irrelevant">
          Nothing here <kbd>0</kbd>
        </button>
        <button class="button" disabled={busy} onClick={() => act("reject")} title="The map is unreasonable, without a drawing">
          Unreasonable <kbd>U</kbd>
        </button>
      </div>
    </aside>
  );
}

const MOST_CLASSES = 6;

function Prediction({ image, hidden }: { image: OpenImage; hidden: boolean }) {
  const { facts } = image;
  const { run } = useWorkplace();
  const [all, setAll] = useState(false);
  if (facts === null)
    return (
      <section class="block">
        <div class="block-title">Prediction</div>
        {image.errors.facts === undefined ? (
          <>
            <div class="skeleton is-line" />
            <div class="skeleton is-line" />
          </>
        ) : (
          <p class="quiet">{image.errors.facts}</p>
        )}
      </section>
    );
  const sorted = [...facts.probabilities].sort((a, b) => b.p - a.p);
  const shown = all ? sorted : sorted.filter((one, i) => i < MOST_CLASSES || one.class === facts.class);
  return (
    <section class="block">
      <div class="block-title">
        Truth: <b>{facts.class}</b>
        <span class="quiet">{SPLIT_NAMES[facts.split] ?? facts.split}</span>
      </div>
      {hidden && run !== null ? (
        <p class="quiet">The prediction is shown with the map.</p>
      ) : sorted.length === 0 ? (
        <p class="quiet">No run is finished, so there is no prediction.</p>
      ) : (
        <ul class="bars">
          {shown.map((one) => (
            <li key={one.class} class={one.class === facts.class ? "is-true" : ""}>
              <span class="bars-name" title={one.class}>
                {one.class}
                {one.class === facts.predicted && <em class={facts.right ? "is-right" : "is-wrong"}>{facts.right ? " ✓" : " ✗"}</em>}
              </span>
              <span class="bars-line">
                <i style={{ width: `${100 * one.p}%` }} />
              </span>
              <span class="bars-value">{one.p.toFixed(2)}</span>
            </li>
          ))}
        </ul>
      )}
      {sorted.length > shown.length && (
        <button class="link" onClick={() => setAll(true)}>
          All {sorted.length} classes
        </button>
      )}
      {facts.misalignment !== null && !hidden && <p class="quiet">Misalignment {percent(facts.misalignment)}</p>}
    </section>
  );
}

function MapSettings({ image, revealed, window, setWindow, act }: Props) {
  const workplace = useWorkplace();
  const { preferences, study, run } = workplace;
  const [class_, setClass] = useState<string | null>(null);
  const [method, setMethod] = useState<string | null>(null);
  const asked = useRef(false);
  useEffect(() => {
    asked.current ||= class_ !== null || method !== null;
    if (run !== null && asked.current) void image.showMap(class_, method);
  }, [image, class_, method]);
  return (
    <section class="block">
      <div class="block-title">
        Map
        <button class="link" aria-pressed={revealed} onClick={() => act("reveal")} disabled={image.map === null}>
          {revealed ? "Hide" : "Show"} <kbd>V</kbd>
        </button>
      </div>
      {image.errors.map !== undefined && <p class="quiet">{image.errors.map}</p>}
      {image.map?.dead && <p class="quiet">This map is zero everywhere: the model found nothing for this class.</p>}
      <div class="pair">
        <Slider label="Opacity" value={preferences.heatOpacity} change={(heatOpacity) => workplace.prefer({ heatOpacity })} />
        <Slider label="Drawing" title="Opacity of the drawing" value={preferences.maskOpacity} change={(maskOpacity) => workplace.prefer({ maskOpacity })} />
      </div>
      <div class="swatches" role="radiogroup" aria-label="Colour map">
        {COLOUR_MAPS.map((name) => (
          <button
            key={name}
            role="radio"
            class="colour"
            aria-checked={preferences.colourMap === name}
            title={`${name} (C)`}
            onClick={() => workplace.prefer({ colourMap: name })}
          >
            <i style={{ background: gradientOf(name) }} />
            {name}
          </button>
        ))}
      </div>
      {run !== null && (
        <div class="pair">
          <label class="field">
            <span>Of class</span>
            <select value={class_ ?? ""} onChange={(event) => setClass(event.currentTarget.value || null)}>
              <option value="">true class</option>
              {study.classes.map((name) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          <label class="field">
            <span>Method</span>
            <select value={method ?? ""} onChange={(event) => setMethod(event.currentTarget.value || null)}>
              <option value="">the run's own</option>
              {study.methods.map((name) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        </div>
      )}
      <label class="check">
        <input type="checkbox" checked={preferences.drawFirst} onChange={() => act("draw-first")} />
        Draw before the map is shown <kbd>G</kbd>
      </label>
      {(window.brightness !== 1 || window.contrast !== 1) && (
        <p class="quiet">
          Contrast {percent(window.contrast)}, brightness {percent(window.brightness)}{" "}
          <button class="link" onClick={() => setWindow({ brightness: 1, contrast: 1 })}>
            Reset
          </button>
        </p>
      )}
    </section>
  );
}

function BrushSettings({ tool, setTool }: Props) {
  return (
    <section class="block">
      <div class="block-title">
        Draws{" "}
        <b class={`ink is-${tool.ink}`}>
          <span class={`swatch is-${tool.ink}`} /> {tool.ink}
        </b>
      </div>
      {tool.tool === "brush" && (
        <Slider
          label="Size"
          keys="[ ]"
          value={Math.sqrt(tool.size / 0.6)}
          shown={`${(100 * tool.size).toFixed(1)} %`}
          change={(value) => setTool({ size: Math.max(0.004, 0.6 * value * value) })}
        />
      )}
      {tool.tool === "pieces" && (
        <Slider
          label="Superpixels"
          keys="[ ]"
          value={Math.log(tool.pieces / LEAST_PIECES) / Math.log(MOST_PIECES / LEAST_PIECES)}
          shown={`${tool.pieces}`}
          change={(value) => setTool(withPieces(tool, LEAST_PIECES * (MOST_PIECES / LEAST_PIECES) ** value))}
        />
      )}
      {tool.ink !== "unknown" && (
        <div class="pair">
          <Slider
            label={tool.ink === "relevant" ? "Importance" : "Certainty"}
            title="Strength of what is drawn: , and ."
            least={0.05}
            value={tool.strength}
            change={(strength) => setTool({ strength })}
          />
          {tool.tool === "brush" && (
            <Slider label="Soft edge" title="Soft edge: { and }" value={tool.softness} change={(softness) => setTool({ softness })} />
          )}
        </div>
      )}
    </section>
  );
}

interface SliderProps {
  readonly label: string;
  readonly value: number;
  readonly keys?: string;
  readonly shown?: string;
  readonly least?: number;
  readonly title?: string;
  readonly change: (value: number) => void;
}

function Slider({ label, value, keys, shown, least = 0, title = label, change }: SliderProps) {
  return (
    <label class="slider" title={title}>
      <span>
        {label} {keys !== undefined && <kbd>{keys}</kbd>}
        <output>{shown ?? percent(value)}</output>
      </span>
      <input
        type="range"
        min={least}
        max="1"
        step="0.01"
        value={value}
        aria-label={title}
        aria-valuetext={shown ?? percent(value)}
        onInput={(event) => change(Number(event.currentTarget.value))}
      />
    </label>
  );
}

function Comment({ image, field }: { image: OpenImage; field: RefObject<HTMLTextAreaElement | null> }) {
  const [text, setText] = useState(image.comment);
  useEffect(() => setText(image.comment), [image, image.comment]);
  const keep = () => {
    if (text === image.comment) return;
    image.comment = text;
    // Without a drawing the comment goes with the judgement.
    if (image.hasDrawing && image.saver !== null) void image.keep();
  };
  return (
    <section class="block">
      <label class="field">
        <span>
          Comment <kbd>K</kbd>
        </span>
        <textarea
          ref={field}
          rows={2}
          maxLength={1000}
          value={text}
          placeholder="Why, for whoever looks at it next"
          onInput={(event) => setText(event.currentTarget.value)}
          onBlur={keep}
          onKeyDown={(event) => {
            if (event.key === "Escape" || (event.key === "Enter" && !event.shiftKey)) {
              event.preventDefault();
              event.currentTarget.blur();
            }
          }}
        />
      </label>
    </section>
  );
}

function gradientOf(name: ColourMapName): string {
  const table = colourTable(name);
  const stops = [0, 64, 128, 192, 255].map((i) => `rgb(${table[3 * i]} ${table[3 * i + 1]} ${table[3 * i + 2]})`);
  return `linear-gradient(90deg, ${stops.join(", ")})`;
}
