import type { FailureKind, Theirs } from "../api/errors";

/** How the saving of one image stands. Strokes are named by their uuid; their bytes are kept elsewhere. */
export interface Saving {
  readonly phase: "idle" | "settling" | "sending" | "waiting" | "signed-out" | "conflict" | "refused";
  /** The revision that the next save is based on. */
  readonly base: number;
  /** Sent, and not known to be stored: it is sent again, under the same uuid, before anything newer. */
  readonly sending: string | null;
  /** Drawn since. */
  readonly drawn: string | null;
  readonly penDown: boolean;
  readonly attempts: number;
  readonly detail: string;
  readonly theirs: Theirs | null;
}

export type SavingEvent =
  | { readonly type: "drawn"; readonly stroke: string }
  | { readonly type: "pen"; readonly down: boolean }
  | { readonly type: "settled" }
  | { readonly type: "flush" }
  | { readonly type: "retry" }
  | { readonly type: "stored"; readonly revision: number }
  | { readonly type: "failed"; readonly kind: FailureKind; readonly detail: string; readonly theirs: Theirs | null }
  | { readonly type: "keep mine" }
  | { readonly type: "take theirs" }
  | { readonly type: "rebased"; readonly revision: number };

export type SavingEffect =
  | { readonly type: "send"; readonly stroke: string; readonly basedOn: number }
  | { readonly type: "wake"; readonly after: number; readonly event: "settled" | "retry" }
  | { readonly type: "sleep" }
  | { readonly type: "set aside"; readonly stroke: string };

/** A save begins when nothing was drawn for this long. */
export const SETTLE_MS = 800;
const SESSION_MS = 5000;
const MOST_WAIT_MS = 30_000;

export function startSaving(base: number): Saving {
  return {
    phase: "idle", base, sending: null, drawn: null, penDown: false, attempts: 0, detail: "", theirs: null,
  };
}

/** Whether something is drawn that the server has not acknowledged. */
export function isUnsaved(saving: Saving): boolean {
  return saving.sending !== null || saving.drawn !== null;
}

/** Wait 1, 2, 4 ... seconds, at most 30. */
export function waitAfter(attempts: number): number {
  return Math.min(MOST_WAIT_MS, 1000 * 2 ** Math.max(0, attempts - 1));
}

/** The next state, and what is to be done. Pure: no clock, no network, no storage. */
export function step(saving: Saving, event: SavingEvent): [Saving, SavingEffect[]] {
  switch (event.type) {
    case "drawn": {
      const next = { ...saving, drawn: event.stroke };
      if (saving.phase === "refused") return settle({ ...next, detail: "" });
      return saving.phase === "idle" || saving.phase === "settling" ? settle(next) : [next, []];
    }
    case "pen": {
      const next = { ...saving, penDown: event.down };
      if (saving.phase !== "settling") return [next, []];
      return event.down ? [next, [{ type: "sleep" }]] : settle(next);
    }
    case "settled":
    case "flush":
      return saving.phase === "settling" && (!saving.penDown || event.type === "flush") ? send(saving) : [saving, []];
    case "retry":
      return ["waiting", "signed-out", "refused"].includes(saving.phase) ? send(saving) : [saving, []];
    case "stored": {
      if (saving.phase !== "sending") return [saving, []];
      const next = { ...saving, base: event.revision, sending: null, attempts: 0, detail: "" };
      return saving.drawn === null ? [{ ...next, phase: "idle" }, []] : settle(next);
    }
    case "failed":
      return saving.phase === "sending" ? fail(saving, event) : [saving, []];
    case "keep mine":
      if (saving.phase !== "conflict" || saving.theirs === null) return [saving, []];
      return send({ ...saving, base: saving.theirs.revision, theirs: null, sending: null, drawn: latest(saving) });
    case "take theirs": {
      if (saving.phase !== "conflict" || saving.theirs === null) return [saving, []];
      const next = { ...startSaving(saving.theirs.revision), penDown: saving.penDown };
      return [next, [{ type: "set aside", stroke: latest(saving)! }]];
    }
    case "rebased":
      // An answer that was overtaken by a save of one's own says nothing new.
      return isUnsaved(saving) || event.revision < saving.base ? [saving, []] : [{ ...saving, base: event.revision }, []];
  }
}

/** The newest unsaved stroke. */
export function latest(saving: Saving): string | null {
  return saving.drawn ?? saving.sending;
}

function settle(saving: Saving): [Saving, SavingEffect[]] {
  const next: Saving = { ...saving, phase: "settling" };
  return [next, saving.penDown ? [{ type: "sleep" }] : [{ type: "wake", after: SETTLE_MS, event: "settled" }]];
}

function send(saving: Saving): [Saving, SavingEffect[]] {
  const stroke = saving.sending ?? saving.drawn;
  if (stroke === null) return [{ ...saving, phase: "idle" }, []];
  const drawn = saving.sending === null ? null : saving.drawn;
  const next: Saving = { ...saving, phase: "sending", sending: stroke, drawn };
  return [next, [{ type: "send", stroke, basedOn: saving.base }]];
}

function fail(saving: Saving, event: SavingEvent & { type: "failed" }): [Saving, SavingEffect[]] {
  const attempts = saving.attempts + 1;
  const next = { ...saving, attempts, detail: event.detail };
  switch (event.kind) {
    case "network":
      return [{ ...next, phase: "waiting" }, [{ type: "wake", after: waitAfter(attempts), event: "retry" }]];
    case "session":
      return [{ ...next, phase: "signed-out" }, [{ type: "wake", after: SESSION_MS, event: "retry" }]];
    case "conflict":
      return [{ ...next, phase: "conflict", theirs: event.theirs }, []];
    case "refused":
      // Never stored as it is; what is drawn next is sent instead of it.
      return [{ ...next, phase: "refused", sending: null, drawn: latest(saving) }, []];
  }
}
