import { useEffect, useRef, useState } from "preact/hooks";
import { getStudy, sendDrawing, type ServerError, type Study } from "../api/client";
import { Journal } from "../journal/journal";
import { Saver, type Saving } from "../journal/saver";
import { Editor } from "./Editor";
import { type Filters, NO_FILTERS, Triage } from "./Triage";

interface Session {
  study: Study;
  journal: Journal;
  saver: Saver;
}

/** The whole page: all images, or one of them (`#/image/KEY`), under a line that says what is saved. */
export function Page() {
  const [session, setSession] = useState<Session | null>(null);
  const [fault, setFault] = useState("");
  const [saving, setSaving] = useState<Saving>({ state: "saved", unsent: 0 });
  const [run, setRun] = useState<string | null>(null);
  const [imageKey, setImageKey] = useState(keyInAddress());
  const [filters, setFilters] = useState<Filters>(NO_FILTERS);
  const [queue, setQueue] = useState<readonly number[]>([]);
  const [theme, setTheme] = useState(() => localStorage.getItem("visteer theme") ?? "dark");
  const revisions = useRef(new Map<number, number>()).current;

  useEffect(() => {
    let saver: Saver | undefined;
    const open = async () => {
      const study = await getStudy();
      const journal = await Journal.open(study.name);
      const tabs = new BroadcastChannel(`visteer ${study.name}`);
      const stored = (key: number, revision: number) => {
        revisions.set(key, revision);
        tabs.postMessage({ key, revision });
      };
      tabs.onmessage = ({ data }) => setFilters((now) => ({ ...now, news: `${data.key} ${data.revision}` }));
      saver = new Saver(journal, sendDrawing, stored, setSaving);
      setRun(study.run);
      setSession({ study, journal, saver });
      document.title = `${study.name} · Visteer`;
      await saver.flush(); // what an earlier tab could not send
    };
    open().catch((error: ServerError) => {
      setFault(error.signedOut ? "This session is over. Open the link again that visteer edit printed." : error.message);
    });
    const moved = () => setImageKey(keyInAddress());
    const leaving = (event: BeforeUnloadEvent) => {
      if (saver?.busy) event.preventDefault();
    };
    const online = () => void saver?.flush();
    window.addEventListener("hashchange", moved);
    window.addEventListener("online", online);
    window.addEventListener("beforeunload", leaving);
    return () => {
      saver?.stop();
      window.removeEventListener("hashchange", moved);
      window.removeEventListener("online", online);
      window.removeEventListener("beforeunload", leaving);
    };
  }, []);

  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("visteer theme", theme);
  }, [theme]);

  const open = (key: number | null) => {
    window.location.hash = key === null ? "#/" : `#/image/${key}`;
  };
  if (fault) {
    return (
      <div class="gone" role="alert">
        <h1>Visteer</h1>
        <p>{fault}</p>
        <button type="button" onClick={() => window.location.reload()}>Try again</button>
      </div>
    );
  }
  if (!session) return <div class="skeleton" aria-label="Loading" />;
  const { study } = session;
  return (
    <>
      <header class="top">
        <a href="#/" class="brand">Visteer</a>
        <span class="study">{study.name}</span>
        {study.runs.length > 0 && (
          <label class="choice">
            Run
            <select value={run ?? ""} onChange={(event) => setRun(event.currentTarget.value)}>
              {study.runs.map(({ id }) => (
                <option key={id} value={id}>{id}</option>
              ))}
            </select>
          </label>
        )}
        <SavingLine saving={saving} />
        <button type="button" onClick={() => setTheme(theme === "dark" ? "light" : "dark")}>
          {theme === "dark" ? "Light" : "Dark"}
        </button>
      </header>
      {imageKey === null ? (
        <Triage study={study} run={run} filters={filters} onFilters={setFilters} onQueue={setQueue} onOpen={open} />
      ) : (
        <Editor {...session} run={run} imageKey={imageKey} queue={queue.length ? queue : [imageKey]} saving={saving}
          revisions={revisions} onOpen={open} />
      )}
    </>
  );
}

function SavingLine({ saving }: { saving: Saving }) {
  const images = saving.unsent === 1 ? "1 image" : `${saving.unsent} images`;
  const text = {
    saved: "All saved",
    pending: "Kept in this browser…",
    saving: "Saving…",
    unreachable: `Server not reached: ${images} kept in this browser, trying again`,
    "signed-out": `Session over: ${images} kept in this browser. Open the link again that visteer edit printed`,
    conflict: `Somebody else changed ${images}: open it to choose`,
    refused: `Not taken: ${saving.detail ?? ""}`,
  }[saving.state];
  return <output class={`saving ${saving.state}`}>{text}</output>;
}

/** The image that the address names, or null for all. */
function keyInAddress(): number | null {
  const found = /^#\/image\/(\d+)$/.exec(window.location.hash);
  return found ? Number(found[1]) : null;
}
