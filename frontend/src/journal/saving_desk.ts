import { ImageSaver, type World } from "./image_saver";
import type { JournalEntry } from "./journal";

/** All savers of this tab. Saving goes on after its image was left, and takes up what tabs that are gone have left. */
export class SavingDesk {
  private readonly savers = new Map<number, ImageSaver>();
  private readonly listeners = new Set<() => void>();
  private readonly pinned = new Map<number, number>();

  constructor(
    readonly world: World,
    private readonly livingTabs: () => Promise<Set<string>>,
  ) {}

  /** The saver of an image; `base` counts only if there is none yet. */
  saverOf(key: number, base: number): ImageSaver {
    return this.savers.get(key) ?? this.add(new ImageSaver(this.world, key, base));
  }

  existing(key: number): ImageSaver | null {
    return this.savers.get(key) ?? null;
  }

  /** Savers with something unsaved. */
  get busy(): ImageSaver[] {
    return [...this.savers.values()].filter((saver) => saver.unsaved);
  }

  /** Adopt the entries of tabs that are gone and start to send them. Gives the keys. */
  async recover(): Promise<number[]> {
    const living = await this.livingTabs();
    const entries = (await this.world.journal.entries(this.world.study)).sort((a, b) => a.time - b.time);
    const adopted: number[] = [];
    for (const entry of entries) {
      if (entry.tab === this.world.tab || living.has(entry.tab) || this.savers.get(entry.key)?.unsaved) continue;
      if (this.pinned.has(entry.key) && this.savers.has(entry.key)) continue;
      await this.adopt(entry);
      adopted.push(entry.key);
    }
    return adopted;
  }

  /** While an image is open its saver is not replaced. */
  pin(key: number): () => void {
    this.pinned.set(key, (this.pinned.get(key) ?? 0) + 1);
    return () => {
      const left = this.pinned.get(key)! - 1;
      if (left === 0) this.pinned.delete(key);
      else this.pinned.set(key, left);
    };
  }

  retryAll(): void {
    for (const saver of this.busy) saver.retry();
  }

  flushAll(): void {
    for (const saver of this.busy) saver.flush();
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private async adopt(entry: JournalEntry): Promise<void> {
    await this.world.journal.move(entry, this.world.tab);
    this.savers.get(entry.key)?.close();
    this.add(ImageSaver.adopt(this.world, entry)).retry();
  }

  private add(saver: ImageSaver): ImageSaver {
    this.savers.set(saver.key, saver);
    saver.subscribe(() => {
      for (const listener of [...this.listeners]) listener();
    });
    return saver;
  }
}
