import type { Theirs } from "../../api/errors";

interface Props {
  readonly theirs: Theirs;
  readonly me: string;
  readonly looking: boolean;
  readonly look: (look: boolean) => void;
  readonly keepMine: () => void;
  readonly takeTheirs: () => void;
}

/** Somebody else saved first: both are kept, and the expert says which one counts. */
export function ConflictBar({ theirs, me, looking, look, keepMine, takeTheirs }: Props) {
  const who = theirs.author === null ? "Somebody" : theirs.author === me ? "You, in another tab," : theirs.author;
  return (
    <div class="conflict" role="alert">
      <p>
        <b>{who} saved revision {theirs.revision} while you were drawing.</b> Both are kept.
      </p>
      <button class="button" aria-pressed={looking} onClick={() => look(!looking)}>
        {looking ? "Show mine" : "Show theirs"}
      </button>
      <button class="button is-main" onClick={keepMine}>
        Keep mine as the new revision
      </button>
      <button class="button" onClick={takeTheirs}>
        Take theirs
      </button>
    </div>
  );
}
