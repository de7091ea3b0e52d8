import { useEffect, useRef } from "preact/hooks";
import { ACTIONS, keyNames, type Screen } from "../keys/actions";
import { useWorkplace } from "./workplace";

/** Every action with its key. Closes by Escape, by ?, or by a click beside it. */
export function HelpOverlay({ screen, close }: { screen: Screen; close: () => void }) {
  const { study } = useWorkplace();
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    button.current?.focus();
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "Tab") event.preventDefault();
      if (event.key === "?") return;
      event.stopImmediatePropagation();
      if (event.key === "Escape" || event.key === "Enter") {
        event.preventDefault();
        close();
      }
    };
    window.addEventListener("keydown", onKey, { capture: true });
    return () => {
      window.removeEventListener("keydown", onKey, { capture: true });
      before?.focus();
    };
  }, []);
  const first = { triage: "Triage", editor: "Draw", rate: "Rate", compare: "Compare" }[screen];
  const groups = [...new Set(ACTIONS.map((action) => action.group))].sort((a, b) => Number(b === first) - Number(a === first));
  return (
    <div class="help-ground" onClick={close}>
      <section class="help" role="dialog" aria-modal="true" aria-label="Keys" onClick={(event) => event.stopPropagation()}>
        <header>
          <h2>Keys</h2>
          <button ref={button} class="button" onClick={close}>
            Close <kbd>Esc</kbd>
          </button>
        </header>
        <div class="help-groups">
          {groups.map((group) => (
            <section key={group}>
              <h3>{group}</h3>
              <dl>
                {ACTIONS.filter((action) => action.group === group).map((action) => (
                  <div key={action.id}>
                    <dt>
                      {keyNames(action).map((name) => (
                        <kbd key={name}>{name}</kbd>
                      ))}
                    </dt>
                    <dd>{action.says}</dd>
                  </div>
                ))}
              </dl>
            </section>
          ))}
        </div>
        <p class="quiet">
          <span class="swatch is-relevant" /> Relevant: the model should look here. <span class="swatch is-irrelevant" />{" "}
          Irrelevant: the model must not use this. {" "}
          {study.unpainted === "irrelevant" ? "What you leave unpainted counts as irrelevant." : "Everything else is unknown and does not count."} With a pen, pressure sets
          the width and its eraser end erases; two fingers move and zoom.
        </p>
      </section>
    </div>
  );
}
