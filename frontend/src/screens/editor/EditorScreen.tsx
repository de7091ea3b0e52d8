import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { detailOf } from "../../api/errors";
import type { ConsensusMethod, Verdict } from "../../api/messages";
import { fetchEdit, fetchSuperpixels, postVerdict, makeConsensus, restoreRevision, selectObject } from "../../api/server";
import { COLOUR_MAPS } from "../../heat/colour_maps";
import { paintHeat } from "../../heat/heat_canvas";
import { unpackMask } from "../../journal/packing";
import type { SetAside } from "../../journal/journal";
import { actionOf, isTyping, type ActionId } from "../../keys/actions";
import { mapParts, mapShape, type FromMap } from "../../raster/from_map";
import { cellsShape } from "../../raster/labels";
import { wholeBox, type Mask } from "../../raster/mask";
import { partAt } from "../../raster/parts";
import type { Point } from "../../raster/shapes";
import { PointerInput } from "../../tools/pointer_input";
import { Selecting } from "../../tools/selecting";
import { paintOf, resized, swapInk, withSoftness, withStrength, type ToolSettings } from "../../tools/settings";
import { sizeWithin } from "../../view/viewport";
import { Stage } from "../../view/stage";
import { goToComparison, goToImage, goToTriage, routeOf } from "../routes";
import { shortName } from "../wording";
import { useChanges, useWorkplace } from "../workplace";
import { ConflictBar } from "./ConflictBar";
import { EditorBar } from "./EditorBar";
import { Filmstrip } from "./Filmstrip";
import { FromMapPanel, PREVIEW_SIDE } from "./FromMapPanel";
import { OpenImage } from "./open_image";
import { SelectionPanel } from "./SelectionPanel";
import { SidePanel } from "./SidePanel";
import { ToolRail } from "./ToolRail";

const HEAT_SIDE = 256;
const NOTE_MS = 4000;
const AHEAD = 3;
const NO_WINDOW = { brightness: 1, contrast: 1 };

/** See where the model looks, and draw where it should. */
export function EditorScreen({ imageKey, showHelp }: { imageKey: number; showHelp: () => void }) {
  const workplace = useWorkplace();
  const { list, preferences, cache, run, channel } = workplace;
  useChanges(list);
  const image = useMemo(() => new OpenImage(workplace, imageKey), [imageKey, run]);
  useChanges(image);
  const host = useRef<HTMLDivElement>(null);
  const comment = useRef<HTMLTextAreaElement>(null);
  const stage = useMemo(() => new Stage(), []);
  const input = useRef<PointerInput | null>(null);
  const [held, setHeld] = useState<"map" | "all" | null>(null);
  const [revealed, setRevealed] = useState<boolean | null>(null);
  const [window_, setWindow] = useState(NO_WINDOW);
  const [panel, setPanel] = useState<"history" | "from-map" | null>(null);
  const [fromMap, setFromMap] = useState<FromMap>({ threshold: 0.5, invert: false, clicks: [] });
  const [otherTab, setOtherTab] = useState(false);
  const [note, setNote] = useState("");
  const [busy, setBusy] = useState(false);
  const judging = useRef(false);
  const [lookingAtTheirs, setLookingAtTheirs] = useState(false);
  const { tool } = preferences;
  const place = list.placeOf(imageKey);
  const drawing = image.drawing;
  const saver = image.saver;
  useChanges(saver);

  const hidden = preferences.drawFirst && revealed === null && !image.touched && image.stored === null;
  const heatShown = image.map !== null && !image.map.dead && held === null && !hidden && revealed !== false;


  const say = (text: string) => {
    setNote(text);
  };
  const selecting = useMemo(
    () =>
      new Selecting(imageKey, { superpixels: fetchSuperpixels, select: selectObject }, () => {
        image.tell();
        input.current?.showDraft();
      }, say),
    [image],
  );
  /** A click while the map's parts are chosen from: keep the part, or leave it out. */
  const picked = (at: Point): boolean => {
    if (panel !== "from-map" || image.map === null || image.map.dead) return false;
    const part = partAt(mapParts(image.map, sizeWithin(image.map, PREVIEW_SIDE), fromMap), at);
    if (part === 0) say("No part of the map is there");
    else setFromMap({ ...fromMap, clicks: [...fromMap.clicks, at] });
    return true;
  };
  // The newest values for handlers that were set once.
  const now = useRef({ tool, image, lookingAtTheirs, selecting, picked });
  now.current = { tool, image, lookingAtTheirs, selecting, picked };
  useEffect(() => {
    if (note === "") return;
    const timer = setTimeout(() => setNote(""), NOTE_MS);
    return () => clearTimeout(timer);
  }, [note]);

  useEffect(() => {
    host.current!.append(stage.element);
    input.current = new PointerInput(stage, {
      settings: () => now.current.tool,
      drawing: () => (now.current.lookingAtTheirs ? null : now.current.image.drawing),
      selecting: () => now.current.selecting,
      picked: (at) => now.current.picked(at),
      started: () => {
        if (!workplace.preferences.hintSeen) workplace.prefer({ hintSeen: true });
        now.current.image.strokeStarted();
      },
      progressed: () => now.current.image.strokeProgressed(),
      finished: (changed) => now.current.image.strokeFinished(changed),
      windowed: (dx, dy) =>
        setWindow((old) => ({
          contrast: Math.min(4, Math.max(0.2, old.contrast * Math.exp(dx * 0.005))),
          brightness: Math.min(3, Math.max(0.2, old.brightness * Math.exp(-dy * 0.005))),
        })),
    });
    return () => {
      input.current?.close();
      stage.close();
      stage.element.remove();
    };
  }, []);

  useEffect(() => {
    image.load();
    setRevealed(null);
    setPanel((open) => (open === "from-map" ? null : open));
    setFromMap((old) => ({ ...old, clicks: [] }));
    setLookingAtTheirs(false);
    setOtherTab(false);
    setWindow(NO_WINDOW);
    channel.tell({ type: "opened", key: imageKey });
    const leave = channel.listen((message) => {
      if (message.key !== imageKey) return;
      if (message.type === "opened") channel.tell({ type: "here", key: imageKey });
      if (message.type === "opened" || message.type === "here") setOtherTab(true);
      if (message.type === "left") setOtherTab(false);
      if (message.type === "saved") {
        setOtherTab(true);
        if (image.saver !== null && !image.saver.unsaved)
          image.takeFromServer().then(
            (taken) => {
              if (!taken) return;
              showMask();
              say("Shown as saved in another tab");
            },
            () => undefined,
          );
      }
    });
    return () => {
      input.current?.cancelShape();
      selecting.cancel();
      // A stroke that the keys cut short is as good as any other.
      input.current?.dropStroke();
      if (image.saver !== null) image.strokeFinished(image.drawing?.finish() ?? false);
      leave();
      channel.tell({ type: "left", key: imageKey });
      image.close();
    };
  }, [image]);

  useEffect(() => {
    void (place === null ? list.find(imageKey) : list.ensure(place, place + 40));
    if (place === null) return;
    for (let next = place + 1; next <= place + AHEAD; next++) {
      const item = list.at(next);
      if (item !== undefined) cache.prefetch(item.key, run);
    }
  }, [list, place, list.total]);

  useEffect(() => {
    document.title = `${image.facts === null ? "Image" : shortName(image.facts.id)} · Visteer`;
  }, [image.facts]);
  useEffect(() => {
    const { picture } = image;
    stage.show(picture, picture === null ? { width: 1, height: 1 } : { width: picture.naturalWidth, height: picture.naturalHeight });
  }, [image.picture]);
  useEffect(() => {
    if (!lookingAtTheirs) stage.showMask(drawing?.mask ?? null);
  }, [drawing, lookingAtTheirs]);
  const heat = useMemo(
    () => (image.map === null ? null : paintHeat(image.map, preferences.colourMap, HEAT_SIDE)),
    [image.map, preferences.colourMap],
  );
  useEffect(() => stage.showHeat(heatShown ? heat : null, preferences.heatOpacity), [heat, heatShown, preferences.heatOpacity]);
  useEffect(() => stage.setMaskOpacity(held === "all" ? 0 : preferences.maskOpacity), [held, preferences.maskOpacity]);
  useEffect(() => stage.setWindow(window_), [window_]);
  useEffect(() => input.current?.toolChanged(), [tool]);
  useEffect(() => {
    if (tool.tool === "pieces" && drawing !== null) void selecting.needPieces(tool.pieces);
  }, [tool.tool, tool.pieces, drawing, selecting]);
  useEffect(() => void selecting.cancel(), [tool.tool, selecting]);

  const setTool = (change: Partial<ToolSettings>) => workplace.prefer({ tool: { ...now.current.tool, ...change }, hintSeen: true });

  /** Show the drawing as it is now, if this is still the image in hand. */
  const showMask = () => {
    if (now.current.image === image) stage.showMask(image.drawing!.mask);
  };

  const changeDrawing = (change: (open: OpenImage) => void) => {
    if (image.drawing === null || image.saver === null || lookingAtTheirs || now.current.image !== image) return;
    input.current?.endStroke();
    change(image);
    void image.keep();
    image.tell();
  };

  const go = (step: number) => {
    // From the address: keys may come faster than images are shown.
    const route = routeOf(location.hash);
    const from = route.screen === "editor" ? list.placeOf(route.key) : null;
    if (from === null) return;
    const target = from + step;
    if (target < 0) return say("This is the first image of the queue");
    void list.ensure(target, target + 1).then(() => {
      const item = list.at(target);
      if (item !== undefined) goToImage(item.key, true);
      else say(list.error ?? "This was the last image of the queue. Esc leads back to all images.");
    });
  };

  const judge = async (verdict: Verdict) => {
    if (judging.current) return;
    judging.current = true;
    setBusy(true);
    try {
      if (image.saver?.unsaved) await image.saver.settled();
      const item = await postVerdict(imageKey, verdict, run, image.comment);
      // "Nothing" made a revision; so may have somebody else.
      if (image.saver !== null && item.revision !== image.saver.state.base && (await image.takeFromServer())) showMask();
      channel.tell({ type: "saved", key: imageKey, revision: item.revision });
      list.changed(item);
      go(1);
    } catch (error) {
      say(`Not said yet: ${detailOf(error)}`);
    } finally {
      judging.current = false;
      setBusy(false);
    }
  };

  const copyPrevious = async () => {
    const previous = place === null ? undefined : list.at(place - 1);
    if (previous === undefined) return say("There is no previous image in the queue");
    try {
      const unsent = workplace.desk.existing(previous.key)?.newest ?? null;
      const mask = unsent === null ? (await fetchEdit(previous.key)).mask : await unpackMask(unsent.bytes);
      if (mask === null) return say("Nothing is drawn on the previous image");
      changeDrawing((open) => stage.refresh(open.drawing!.replace(mask)));
    } catch (error) {
      say(detailOf(error));
    }
  };

  const applyMap = () => {
    if (image.map === null) return;
    changeDrawing(({ drawing: open, map }) =>
      stage.refresh(open!.fill(mapShape(map!, open!.mask, fromMap), { ...paintOf(tool), kind: tool.ink === "unknown" ? "relevant" : tool.ink })),
    );
    setPanel(null);
  };

  const applySelection = () => {
    const { found, fromDrawing } = selecting;
    if (found === null) return;
    changeDrawing(({ drawing: open }) => {
      const shape = cellsShape(found, (place) => found.values[place] === 1, open!.mask, wholeBox(found));
      stage.refresh(fromDrawing ? open!.snap(shape, tool.strength) : open!.fill(shape, paintOf(tool)));
    });
    selecting.cancel();
    say("Drawn. Ctrl+Z takes it back.");
  };

  /** Let the server make a new revision, and show it. */
  const takeNew = async (make: (basedOn: number) => Promise<number>, said: (revision: number) => string) => {
    try {
      if (image.saver!.unsaved) await image.saver!.settled();
      const restored = await make(image.saver!.state.base);
      channel.tell({ type: "saved", key: imageKey, revision: restored });
      if (!(await image.takeFromServer())) return;
      showMask();
      say(said(restored));
    } catch (error) {
      say(detailOf(error));
    }
  };
  const restore = (revision: number) =>
    takeNew(
      (basedOn) => restoreRevision(imageKey, revision, basedOn),
      (restored) => `Revision ${revision} is taken again, as revision ${restored}`,
    );
  const consensus = (method: ConsensusMethod) =>
    takeNew(
      (basedOn) => makeConsensus(imageKey, method, basedOn),
      (made) => `The ${method} of all is shown, as revision ${made}`,
    );

  const takeAside = async (aside: SetAside) => {
    const mask = await unpackMask(aside.packed.bytes);
    changeDrawing((open) => stage.refresh(open.drawing!.replace(mask)));
  };

  const takeTheirs = async () => {
    try {
      // Fetched first: without theirs on the screen mine must not give way.
      const theirs = await fetchEdit(imageKey);
      await image.saver!.takeTheirs();
      image.take(theirs);
      setLookingAtTheirs(false);
      showMask();
      say("Theirs is shown. Yours is kept in the history of this browser.");
    } catch (error) {
      say(detailOf(error));
    }
  };

  const lookAtTheirs = async (look: boolean) => {
    if (!look) return setLookingAtTheirs(false);
    try {
      const { mask } = await fetchEdit(imageKey, saver?.state.theirs?.revision);
      if (now.current.image !== image) return;
      setLookingAtTheirs(true);
      stage.showMask(mask as Mask | null);
    } catch (error) {
      say(detailOf(error));
    }
  };

  const act = (action: ActionId): void => {
    const acts: Partial<Record<ActionId, () => void>> = {
      relevant: () => setTool({ tool: "brush", ink: "relevant" }),
      irrelevant: () => setTool({ tool: "brush", ink: "irrelevant" }),
      erase: () => setTool({ tool: "brush", ink: "unknown" }),
      polygon: () => setTool({ tool: "polygon" }),
      ellipse: () => setTool({ tool: "ellipse" }),
      box: () => setTool({ tool: "box" }),
      pieces: () => setTool({ tool: "pieces" }),
      click: () => setTool({ tool: "click" }),
      snap: () => setTool({ tool: "snap" }),
      swap: () => setTool(swapInk(now.current.tool)),
      smaller: () => setTool(resized(now.current.tool, 1 / 1.2)),
      larger: () => setTool(resized(now.current.tool, 1.2)),
      harder: () => setTool(withSoftness(now.current.tool, -0.1)),
      softer: () => setTool(withSoftness(now.current.tool, 0.1)),
      weaker: () => setTool(withStrength(now.current.tool, -0.1)),
      stronger: () => setTool(withStrength(now.current.tool, 0.1)),
      "from-map": () => setPanel((open) => (open === "from-map" ? null : "from-map")),
      "copy-previous": () => void copyPrevious(),
      undo: () => {
        input.current?.endStroke(); // under the pen it takes back the stroke in progress
        if (image.drawing?.canUndo) changeDrawing((open) => stage.refresh(open.drawing!.undo()));
      },
      redo: () => image.drawing?.canRedo && changeDrawing((open) => stage.refresh(open.drawing!.redo())),
      "close-shape": () => (panel === "from-map" ? applyMap() : selecting.found !== null ? applySelection() : input.current?.closePolygon()),
      reveal: () => setRevealed(hidden ? true : revealed === false),
      "draw-first": () => workplace.prefer({ drawFirst: !preferences.drawFirst }),
      "colour-map": () =>
        workplace.prefer({ colourMap: COLOUR_MAPS[(COLOUR_MAPS.indexOf(preferences.colourMap) + 1) % COLOUR_MAPS.length]! }),
      window: () => setTool({ tool: "window" }),
      "reset-window": () => setWindow(NO_WINDOW),
      fit: () => stage.fit(),
      "zoom-in": () => stage.zoomBy(1.25),
      "zoom-out": () => stage.zoomBy(0.8),
      hand: () => setTool({ tool: tool.tool === "hand" ? "brush" : "hand" }),
      accept: () => void judge("reasonable"),
      reject: () => void judge("unreasonable"),
      nothing: () => void judge("nothing"),
      skip: () => void judge("skip"),
      comment: () => comment.current?.focus(),
      next: () => go(1),
      previous: () => go(-1),
      compare: () => goToComparison(imageKey),
      history: () => setPanel((open) => (open === "history" ? null : "history")),
      leave: () => {
        if (input.current?.cancelShape() || selecting.cancel()) return;
        if (panel !== null) setPanel(null);
        else goToTriage();
      },
    };
    acts[action]?.();
  };
  const acting = useRef(act);
  acting.current = act;

  useEffect(() => {
    const hold = (down: boolean) => {
      if (input.current === null) return;
      input.current.spaceHeld = down;
      input.current.toolChanged();
    };
    const onDown = (event: KeyboardEvent) => {
      if (isTyping(event.target)) return;
      const action = actionOf(event, "editor");
      if (action === null || action === "help" || action === "theme") return;
      const onButton = event.target instanceof HTMLElement && event.target.closest("button, a, input:not([type=range])") !== null;
      // Enter and Space press the button that has the focus; arrows move the slider that has it.
      if (onButton && ["Enter", " "].includes(event.key)) return;
      if (event.target instanceof HTMLInputElement && event.key.startsWith("Arrow")) return;
      event.preventDefault();
      if (action === "hide-map" || action === "hide-all") return setHeld(action === "hide-map" ? "map" : "all");
      if (action === "hand") return hold(true);
      const repeats = ["smaller", "larger", "harder", "softer", "weaker", "stronger", "undo", "redo", "zoom-in", "zoom-out", "next", "previous"];
      if (event.repeat && !repeats.includes(action)) return;
      acting.current(action);
    };
    const onUp = (event: KeyboardEvent) => {
      if (event.key === " ") hold(false);
      if (event.key.toLowerCase() === "h" || event.key === "\\") setHeld(null);
    };
    const onBlur = () => {
      hold(false);
      setHeld(null);
    };
    window.addEventListener("keydown", onDown);
    window.addEventListener("keyup", onUp);
    window.addEventListener("blur", onBlur);
    return () => {
      window.removeEventListener("keydown", onDown);
      window.removeEventListener("keyup", onUp);
      window.removeEventListener("blur", onBlur);
    };
  }, []);

  // Once drawn or judged elsewhere in this tab, the list shows it.
  const savedRevision = saver?.state.base ?? 0;
  useEffect(() => {
    const item = place === null ? undefined : list.at(place);
    if (item !== undefined && savedRevision > item.revision)
      list.changed({ ...item, revision: savedRevision, state: "edited", author: workplace.study.author });
  }, [savedRevision]);

  const problem = image.errors.picture ?? image.errors.edit;
  return (
    <div class="editor">
      <EditorBar image={image} place={place} total={list.total} otherTab={otherTab} act={act} showHelp={showHelp} />
      <ToolRail tool={tool} canUndo={drawing?.canUndo ?? false} canRedo={drawing?.canRedo ?? false} panel={panel} act={act} />
      <main class="editor-stage" aria-label="Picture" aria-busy={drawing === null && problem === undefined}>
        <div ref={host} class="stage-host" />
        {image.picture === null && problem === undefined && <div class="stage-skeleton skeleton" />}
        {problem !== undefined && (
          <div class="notice is-over">
            <h2>This image cannot be shown</h2>
            <p>{problem}</p>
            <button class="button is-main" onClick={() => image.load()}>
              Try again
            </button>
          </div>
        )}
        {saver?.state.phase === "conflict" && saver.state.theirs !== null && (
          <ConflictBar
            theirs={saver.state.theirs}
            me={workplace.study.author}
            looking={lookingAtTheirs}
            look={(look) => void lookAtTheirs(look)}
            keepMine={() => {
              setLookingAtTheirs(false);
              saver.keepMine();
            }}
            takeTheirs={() => void takeTheirs()}
          />
        )}
        {panel === "from-map" && (
          <FromMapPanel map={image.map} stage={stage} value={fromMap} ink={tool.ink} change={setFromMap} apply={applyMap} close={() => setPanel(null)} />
        )}
        {(tool.tool === "click" || tool.tool === "snap") && panel !== "from-map" && (
          <SelectionPanel
            tool={tool.tool}
            selecting={selecting}
            ink={tool.ink}
            apply={applySelection}
            cancel={() => selecting.cancel()}
            fromDrawing={() => drawing !== null && void selecting.drawn(drawing.mask, tool.pieces)}
            toggleOutside={() => {
              selecting.outsideNext = !selecting.outsideNext;
              image.tell();
            }}
          />
        )}
        {!preferences.hintSeen && image.picture !== null && (
          <p class="hint">
            <span>
              Paint where the model <b>should look</b> (<kbd>B</kbd>) and what it <b>must not use</b> (<kbd>N</kbd>). {workplace.study.unpainted === "irrelevant" && "What you leave unpainted counts as irrelevant. "}
              Every stroke is saved by itself. <kbd>?</kbd> shows all keys.
            </span>
            <button class="link" onClick={() => workplace.prefer({ hintSeen: true })}>
              Got it
            </button>
          </p>
        )}
        {hidden && image.picture !== null && image.map !== null && (
          <p class="hint is-low">
            <span>The map is shown after your first stroke.</span>
            <button class="link" onClick={() => setRevealed(true)}>
              Show it now <kbd>V</kbd>
            </button>
          </p>
        )}
        {note !== "" && (
          <p class="toast" role="status">
            {note}
          </p>
        )}
      </main>
      <SidePanel
        image={image}
        comment={comment}
        tool={tool}
        setTool={setTool}
        window={window_}
        setWindow={setWindow}
        historyOpen={panel === "history"}
        makeConsensus={(method) => void consensus(method)}
        restore={(revision) => void restore(revision)}
        takeAside={(aside) => void takeAside(aside)}
        hidden={hidden}
        revealed={heatShown}
        busy={busy}
        act={act}
      />
      <Filmstrip list={list} place={place} imageKey={imageKey} open={(key) => goToImage(key, true)} />
    </div>
  );
}
