import type { Drawing, Journal } from "./journal";

/** What became of one attempt to save. */
export type Outcome =
  | { kind: "stored"; revision: number }
  | { kind: "conflict"; latest: number }
  | { kind: "signed-out" }
  | { kind: "unreachable" }
  | { kind: "refused"; detail: string };

/** What the status line shows. `unsent` counts the images whose drawing is only in this browser. */
export interface Saving {
  state: "saved" | "pending" | "saving" | "unreachable" | "signed-out" | "conflict" | "refused";
  unsent: number;
  detail?: string;
}

export type Send = (drawing: Drawing) => Promise<Outcome>;

const QUIET_MS = 800;
const RETRY_MS = [1000, 2000, 5000, 10_000, 30_000];

/**
 * Brings drawings from the journal to the server: a while after the last stroke, never while the pointer is down, one
 * at a time, again and again until each is acknowledged. Where the server has another revision than the one drawn on,
 * the drawing stays in the journal until somebody decides.
 */
export class Saver {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private held = false;
  private running: Promise<void> | undefined;
  private failures = 0;
  /** Per image the drawing whose answer was lost: the server may have it, so it is sent again before what came after. */
  private readonly uncertain = new Map<number, Drawing>();

  constructor(
    private readonly journal: Journal,
    private readonly send: Send,
    private readonly onStored: (key: number, revision: number) => void,
    private readonly onSaving: (saving: Saving) => void,
  ) {}

  /** Whether something is being sent: the journal has it, but the server may not. */
  get busy(): boolean {
    return this.running !== undefined;
  }

  /** Take a drawing into the journal now, and send it soon. */
  async drawn(drawing: Drawing): Promise<void> {
    await this.journal.keep(drawing);
    this.onSaving({ state: "pending", unsent: (await this.journal.all()).length });
    this.failures = 0;
    this.schedule(QUIET_MS);
  }

  /** The pointer went down (true) or up (false): nothing is sent in between. */
  hold(held: boolean): void {
    this.held = held;
    if (!held) this.schedule(QUIET_MS);
  }

  /** Send all that is unsent now, unless the pointer is down. */
  flush(): Promise<void> {
    if (this.held) return Promise.resolve();
    clearTimeout(this.timer);
    this.running ??= this.sendAll().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private schedule(delay: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.flush(), delay);
  }

  private async sendAll(): Promise<void> {
    for (;;) {
      const drawings = await this.journal.all();
      const unsent = drawings.find((drawing) => drawing.conflict === undefined);
      if (!unsent) {
        const state = drawings.length ? "conflict" : "saved";
        this.onSaving({ state, unsent: drawings.length });
        return;
      }
      if (this.held) return;
      const next = this.uncertain.get(unsent.key) ?? unsent;
      this.onSaving({ state: "saving", unsent: drawings.length });
      const outcome = await this.send(next);
      if (!(await this.settle(next, outcome))) {
        const detail = outcome.kind === "refused" ? outcome.detail : undefined;
        const state = outcome.kind === "stored" || outcome.kind === "conflict" ? "pending" : outcome.kind;
        this.onSaving({ state, unsent: drawings.length, detail });
        this.schedule(RETRY_MS[Math.min(this.failures++, RETRY_MS.length - 1)]);
        return;
      }
      this.failures = 0;
    }
  }

  /** Bring the journal up to date with what became of a drawing; false where it must be tried again later. */
  private async settle(drawing: Drawing, outcome: Outcome): Promise<boolean> {
    if (outcome.kind === "unreachable") this.uncertain.set(drawing.key, drawing);
    else this.uncertain.delete(drawing.key);
    if (outcome.kind === "stored") {
      await this.journal.forget(drawing.key, drawing.stroke);
      await this.journal.rebase(drawing.key, outcome.revision);
      this.onStored(drawing.key, outcome.revision);
      return true;
    }
    if (outcome.kind === "conflict") {
      await this.journal.markConflict(drawing.key, drawing.stroke, outcome.latest);
      return true;
    }
    return false;
  }
}
