import { useEffect, useState } from "preact/hooks";
import { Failure, detailOf } from "../api/errors";
import { actionOf, isTyping } from "../keys/actions";
import { readPreferences } from "../settings/preferences";
import { CompareScreen } from "./compare/CompareScreen";
import { EditorScreen } from "./editor/EditorScreen";
import { HelpOverlay } from "./HelpOverlay";
import { openWorkplace } from "./opening";
import { RateScreen } from "./rate/RateScreen";
import { routeOf, type Route } from "./routes";
import { TriageScreen } from "./triage/TriageScreen";
import { useChanges, WorkplaceContext, type Workplace } from "./workplace";

export function App() {
  const [workplace, setWorkplace] = useState<Workplace | null>(null);
  const [error, setError] = useState<unknown>(null);
  const open = () => {
    setError(null);
    openWorkplace().then(setWorkplace, setError);
  };
  useEffect(() => {
    document.documentElement.dataset.theme = readPreferences().theme;
    open();
  }, []);
  if (error !== null) return <NotOpened error={error} again={open} />;
  if (workplace === null) return <OpeningSkeleton />;
  return (
    <WorkplaceContext.Provider value={workplace}>
      <Screens workplace={workplace} />
    </WorkplaceContext.Provider>
  );
}

function Screens({ workplace }: { workplace: Workplace }) {
  useChanges(workplace);
  const [route, setRoute] = useState<Route>(routeOf(location.hash));
  const [help, setHelp] = useState(false);
  const showHelp = () => setHelp(true);
  const { theme } = workplace.preferences;
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  useEffect(() => {
    const onHash = () => setRoute(routeOf(location.hash));
    window.addEventListener("hashchange", onHash);
    onHash(); // the address may have changed before this listened
    return () => window.removeEventListener("hashchange", onHash);
  }, []);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (isTyping(event.target)) return;
      const action = actionOf(event, route.screen);
      if (action === "help") setHelp((shown) => !shown);
      if (action === "theme") workplace.prefer({ theme: workplace.preferences.theme === "dark" ? "light" : "dark" });
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [route.screen]);
  return (
    <>
      {route.screen === "triage" && <TriageScreen showHelp={showHelp} />}
      {route.screen === "editor" && <EditorScreen imageKey={route.key} showHelp={showHelp} />}
      {route.screen === "compare" && <CompareScreen imageKey={route.key} showHelp={showHelp} />}
      {route.screen === "rate" && <RateScreen showHelp={showHelp} />}
      {help && <HelpOverlay screen={route.screen} close={() => setHelp(false)} />}
    </>
  );
}

function NotOpened({ error, again }: { error: unknown; again: () => void }) {
  const ended = error instanceof Failure && error.kind === "session";
  return (
    <main class="notice">
      <h1>{ended ? "This session has ended" : "The study cannot be opened"}</h1>
      <p>{detailOf(error)}</p>
      <p class="quiet">What was drawn and not yet sent is kept in this browser, and is sent when the study is open again.</p>
      <button class="button is-main" onClick={again}>
        Try again
      </button>
    </main>
  );
}

function OpeningSkeleton() {
  return (
    <main class="notice" aria-busy="true" aria-label="Opening the study">
      <div class="skeleton is-title" />
      <div class="skeleton is-line" />
    </main>
  );
}
