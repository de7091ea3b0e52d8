import { Failure } from "../api/errors";
import type { Save } from "../api/server";
import type { Journal, JournalEntry, Packed } from "./journal";
import { isUnsaved, latest, startSaving, step, type Saving, type SavingEffect, type SavingEvent } from "./saving";

const CANNOT_PACK = "The drawing cannot be saved: the browser has no memory left. Close other tabs, then draw on.";

/** What a saver needs from the world; tests give their own. */
export interface World {
  readonly journal: Journal;
  readonly study: string;
  readonly tab: string;
  readonly send: (key: number, save: Save) => Promise<number>;
  readonly stored: (key: number, revision: number) => void;
  readonly now: () => number;
  readonly newStroke: () => string;
}

/**
 * Saves one image: journals every state of its mask at once, then sends it, and sends it again until it is acknowledged.
 *
 * The entry in the journal is written before anything is sent, and taken away only after the acknowledgement.
 */
export class ImageSaver {
  /** Whether the last write to the journal worked. */
  journalled = true;
  private saving: Saving;
  private readonly packed = new Map<string, Packed>();
  private readonly listeners = new Set<() => void>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private chain: Promise<void> = Promise.resolve();
  private taken = 0;
  private packing = 0;
  /** The newest state could not be packed: it is in this tab alone. */
  private unpacked = false;

  constructor(
    private readonly world: World,
    readonly key: number,
    base: number,
  ) {
    this.saving = startSaving(base);
  }

  /** Go on with what an earlier tab left. */
  static adopt(world: World, entry: JournalEntry): ImageSaver {
    const saver = new ImageSaver(world, entry.key, entry.base);
    for (const packed of [entry.sending, entry.drawn]) if (packed !== null) saver.packed.set(packed.stroke, packed);
    saver.saving = {
      ...saver.saving,
      phase: "waiting",
      sending: entry.sending?.stroke ?? null,
      drawn: entry.drawn?.stroke ?? null,
    };
    return saver;
  }

  get state(): Saving {
    return this.saving;
  }

  get unsaved(): boolean {
    return isUnsaved(this.saving) || this.packing > 0 || this.unpacked;
  }

  /** The newest state that the server has not acknowledged. */
  get newest(): Packed | null {
    const stroke = latest(this.saving);
    return stroke === null ? null : (this.packed.get(stroke) ?? null);
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  penDown(): void {
    this.act({ type: "pen", down: true });
  }

  penUp(): void {
    this.act({ type: "pen", down: false });
  }

  /** Journal a state of the mask that is being packed, and send it when it has settled. Done when it is in the journal. */
  keep(bytes: Promise<Uint8Array<ArrayBuffer>>, comment: string): Promise<void> {
    const turn = ++this.taken;
    this.packing++;
    this.tell();
    const done = this.chain.then(async () => {
      try {
        const packed = { stroke: this.world.newStroke(), bytes: await bytes, comment };
        // A newer state is behind this one: it holds everything that this one does.
        if (turn !== this.taken && this.packing > 3) return;
        this.unpacked = false;
        this.packed.set(packed.stroke, packed);
        this.act({ type: "drawn", stroke: packed.stroke });
        await this.write();
      } catch (error) {
        this.unpacked = true;
        this.journalled = false;
        throw error;
      } finally {
        this.packing--;
        this.tell();
      }
    });
    this.chain = done.catch(() => undefined);
    return done;
  }

  /** Done when every state that was handed over is in the journal. */
  packedAll(): Promise<void> {
    return this.chain;
  }

  flush(): void {
    void this.chain.then(() => this.act({ type: "flush" }));
  }

  retry(): void {
    this.act({ type: "retry" });
  }

  /** Done when everything drawn is acknowledged; fails when that needs the user or the network. */
  async settled(): Promise<void> {
    await this.chain;
    this.act({ type: "flush" });
    this.act({ type: "retry" });
    await new Promise<void>((done, failed) => {
      const look = () => {
        const { phase, detail } = this.saving;
        if (!this.unsaved) done();
        else if (phase === "sending" || phase === "settling" || this.packing > 0) return;
        else failed(new Failure(phase === "conflict" ? "conflict" : "network", detail || CANNOT_PACK));
        leave();
      };
      const leave = this.subscribe(look);
      look();
    });
  }

  keepMine(): void {
    this.act({ type: "keep mine" });
  }

  /** Give way to the other's revision; mine is set aside in the journal first. */
  async takeTheirs(): Promise<void> {
    await this.chain;
    const mine = this.newest;
    if (mine !== null)
      await this.world.journal.setAside({ study: this.world.study, key: this.key, packed: mine, time: this.world.now() });
    this.act({ type: "take theirs" });
    await this.write();
  }

  /** The server has a newer revision that is already shown here. */
  rebase(revision: number): void {
    this.act({ type: "rebased", revision });
  }

  /** Stop the clock; what is unsent stays in the journal. */
  close(): void {
    clearTimeout(this.timer);
    this.listeners.clear();
  }

  private act(event: SavingEvent): void {
    const [next, effects] = step(this.saving, event);
    this.saving = next;
    for (const effect of effects) this.carryOut(effect);
    for (const stroke of this.packed.keys())
      if (stroke !== next.sending && stroke !== next.drawn) this.packed.delete(stroke);
    this.tell();
  }

  private carryOut(effect: SavingEffect): void {
    if (effect.type === "set aside") return;
    clearTimeout(this.timer);
    if (effect.type === "wake") this.timer = setTimeout(() => this.act({ type: effect.event }), effect.after);
    if (effect.type === "send") void this.send(effect.stroke, effect.basedOn);
  }

  private async send(stroke: string, basedOn: number): Promise<void> {
    const packed = this.packed.get(stroke)!;
    // Noted first: should the answer be lost with the tab, the same stroke is sent again and not stored twice.
    await this.write();
    try {
      const revision = await this.world.send(this.key, { ...packed, basedOn });
      this.act({ type: "stored", revision });
      await this.write();
      this.world.stored(this.key, revision);
    } catch (error) {
      const failure = error instanceof Failure ? error : new Failure("network", String(error));
      this.act({ type: "failed", kind: failure.kind, detail: failure.detail, theirs: failure.theirs });
    }
  }

  /** Bring the journal to what is unsaved now. */
  private async write(): Promise<void> {
    const { journal, study, tab } = this.world;
    const { sending, drawn, base } = this.saving;
    const packedOf = (stroke: string | null) => (stroke === null ? null : (this.packed.get(stroke) ?? null));
    try {
      if (!isUnsaved(this.saving)) await journal.remove(study, this.key, tab);
      else
        await journal.write({
          study, key: this.key, tab, base, sending: packedOf(sending), drawn: packedOf(drawn), time: this.world.now(),
        });
      this.journalled = true;
    } catch {
      this.journalled = false;
    }
    this.tell();
  }

  private tell(): void {
    for (const listener of [...this.listeners]) listener();
  }
}
