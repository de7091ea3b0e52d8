import type { ImageSaver } from "../journal/image_saver";
import { goToImage } from "./routes";
import { useChanges, useWorkplace } from "./workplace";

interface Status {
  readonly tone: "good" | "busy" | "kept" | "bad";
  readonly text: string;
  readonly title: string;
}

/** How the saving of one image stands, in a few words. */
export function statusOf(saver: ImageSaver | null, lasting: boolean): Status {
  if (saver === null || !saver.unsaved) return { tone: "good", text: "Saved", title: "Everything drawn is on the server's disk" };
  const { phase, detail } = saver.state;
  const kept = saver.journalled && lasting ? "Kept in this browser" : "NOT kept in this browser: leave the page open";
  switch (phase) {
    case "idle":
    case "settling":
    case "sending":
      return { tone: "busy", text: "Saving…", title: kept };
    case "waiting":
      return { tone: "kept", text: `${kept}, will retry`, title: detail };
    case "signed-out":
      return { tone: "kept", text: `${kept}. Session ended: open the link that visteer edit printed again`, title: detail };
    case "conflict":
      return { tone: "bad", text: "Conflict: somebody else saved first", title: detail };
    case "refused":
      return { tone: "bad", text: `${kept}, refused: ${detail}`, title: detail };
  }
}

/** The status of the image in hand, or of all when there is none. */
export function SaveStatus({ imageKey }: { imageKey?: number }) {
  const { desk } = useWorkplace();
  useChanges(desk);
  const lasting = desk.world.journal.lasting;
  const here = imageKey === undefined ? null : desk.existing(imageKey);
  const status = statusOf(here, lasting);
  const others = desk.busy.filter((saver) => saver !== here);
  const undecided = others.find((saver) => saver.state.phase === "conflict");
  const stuck = others.filter((saver) => saver.state.phase !== "settling" && saver.state.phase !== "sending");
  return (
    <span class="save-status" role="status" aria-live="polite">
      {(imageKey !== undefined || others.length === 0) && (
        <span class={`status is-${status.tone}`} title={status.title} data-phase={here?.state.phase ?? "idle"}>
          <i aria-hidden="true" />
          {status.text}
          {(status.tone === "kept" || here?.state.phase === "refused") && (
            <button class="link" onClick={() => here?.retry()}>
              Retry now
            </button>
          )}
        </span>
      )}
      {others.length > 0 && (
        <span class={`status is-${stuck.length > 0 ? "kept" : "busy"}`} title={stuck[0]?.state.detail ?? ""}>
          <i aria-hidden="true" />
          {stuck.length > 0
            ? `${others.length} other ${others.length === 1 ? "image" : "images"} kept in this browser`
            : `Saving ${others.length} other…`}
          {undecided !== undefined ? (
            <button class="link" onClick={() => goToImage(undecided.key)}>
              Decide
            </button>
          ) : (
            stuck.length > 0 && (
              <button class="link" onClick={() => desk.retryAll()}>
                Retry now
              </button>
            )
          )}
        </span>
      )}
    </span>
  );
}
