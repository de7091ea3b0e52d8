import { useEffect, useState } from "preact/hooks";
import { detailOf } from "../../api/errors";
import type { HistoryEntry } from "../../api/messages";
import { fetchHistory } from "../../api/server";
import type { SetAside } from "../../journal/journal";
import { useWorkplace } from "../workplace";
import type { OpenImage } from "./open_image";

interface Props {
  readonly image: OpenImage;
  readonly restore: (revision: number) => void;
  readonly takeAside: (aside: SetAside) => void;
}

/** All revisions, and what was set aside in this browser; each can be taken again. */
export function HistoryList({ image, restore, takeAside }: Props) {
  const { desk, study } = useWorkplace();
  const [entries, setEntries] = useState<HistoryEntry[] | null>(null);
  const [asides, setAsides] = useState<SetAside[]>([]);
  const [error, setError] = useState("");
  const base = image.saver?.state.base ?? 0;
  useEffect(() => {
    let left = false;
    setError("");
    fetchHistory(image.key).then(
      (found) => !left && setEntries(found),
      (failure: unknown) => !left && setError(detailOf(failure)),
    );
    desk.world.journal.asides(study.name, image.key).then(
      (found) => !left && setAsides(found),
      () => undefined,
    );
    return () => {
      left = true;
    };
  }, [image, base, image.saver?.state.phase]);
  if (error !== "") return <p class="quiet">{error}</p>;
  if (entries === null) return <div class="skeleton is-line" />;
  if (entries.length === 0 && asides.length === 0) return <p class="quiet">Nothing is drawn yet.</p>;
  return (
    <ol class="history">
      {asides.map((aside) => (
        <li key={`aside ${aside.id}`}>
          <div>
            <b>Set aside</b> in this browser
            <small>{timeOf(new Date(aside.time))}</small>
          </div>
          <button class="link" onClick={() => takeAside(aside)}>
            Take again
          </button>
        </li>
      ))}
      {entries.map((entry) => (
        <li key={entry.revision} aria-current={entry.revision === base ? "true" : undefined}>
          <div>
            <b>{entry.revision}</b> <bdi>{entry.author}</bdi> <span class="quiet">{entry.source}</span>
            <small>
              {timeOf(new Date(entry.time))}
              {entry.has_relevant ? "" : " · nothing relevant"}
            </small>
            {entry.comment !== "" && <small class="is-comment">{entry.comment}</small>}
          </div>
          {entry.revision === base ? (
            <span class="quiet">current</span>
          ) : (
            <button class="link" onClick={() => restore(entry.revision)}>
              Restore
            </button>
          )}
        </li>
      ))}
    </ol>
  );
}

function timeOf(time: Date): string {
  return time.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
