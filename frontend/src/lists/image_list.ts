import { detailOf } from "../api/errors";
import type { ImagePage, Item } from "../api/messages";

/** The place of an image in the list as the server has it now; null where it is not in it. */
export type FetchPlace = (key: number) => Promise<number | null>;
export type FetchPage = (offset: number, limit: number) => Promise<ImagePage>;

const PAGE = 100;
const MOST = 200;

/**
 * The images under one set of filters, loaded page by page as they are looked at.
 *
 * The list stays as it was when it was opened, so that a queue has no jumps. What the expert does to images moves others
 * on the server by at most one place each; pages that are loaded later therefore overlap by that much, and what is already
 * here is left out, so that no image is passed over.
 */
export class ImageList {
  total: number | null = null;
  first: ImagePage | null = null;
  error: string | null = null;
  private readonly items: (Item | undefined)[] = [];
  private readonly places = new Map<number, number>();
  private readonly loading = new Map<number, Promise<void>>();
  private readonly listeners = new Set<() => void>();
  private acts = 0;

  constructor(
    private readonly fetchPage: FetchPage,
    private readonly fetchPlace: FetchPlace,
  ) {}

  at(index: number): Item | undefined {
    return this.items[index];
  }

  /** The place of an image, or null where it is not loaded. */
  placeOf(key: number): number | null {
    return this.places.get(key) ?? null;
  }

  /** Load what is missing from `from` up to, not including, `to`. */
  async ensure(from: number, to: number): Promise<void> {
    const end = Math.min(to, this.total ?? to);
    const pages = [];
    for (let page = Math.floor(Math.max(0, from) / PAGE); page * PAGE < end; page++) pages.push(this.ensurePage(page));
    await Promise.all(pages);
  }

  /** Load the part of the list that an image is in; null where it is in none. */
  async find(key: number): Promise<number | null> {
    try {
      const place = await this.fetchPlace(key);
      if (place !== null) await this.ensure(place - this.acts, place + this.acts + 1);
    } catch (error) {
      this.error = detailOf(error);
      this.tell();
    }
    return this.placeOf(key);
  }

  /** An image has changed by what the expert did. */
  changed(item: Item): void {
    const place = this.placeOf(item.key);
    if (place !== null) this.items[place] = item;
    this.acts++;
    this.tell();
  }

  retry(): Promise<void> {
    this.error = null;
    return this.ensure(0, PAGE);
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private ensurePage(page: number): Promise<void> {
    let loading = this.loading.get(page);
    if (loading === undefined) {
      loading = this.load(page).catch((error: unknown) => {
        this.error = detailOf(error);
        this.loading.delete(page);
        this.tell();
      });
      this.loading.set(page, loading);
    }
    return loading;
  }

  private async load(page: number): Promise<void> {
    const start = page * PAGE;
    const overlap = Math.min(start, this.acts, MOST - PAGE);
    const limit = Math.min(MOST, PAGE + overlap + Math.min(this.acts, MOST - PAGE - overlap));
    const found = await this.fetchPage(start - overlap, limit);
    this.error = null;
    this.first ??= found;
    this.total ??= found.total;
    let place = start;
    for (const item of found.items) {
      if (this.places.has(item.key)) continue;
      while (place < start + PAGE && this.items[place] !== undefined) place++;
      if (place >= start + PAGE) break;
      this.items[place] = item;
      this.places.set(item.key, place);
    }
    this.tell();
  }

  private tell(): void {
    for (const listener of [...this.listeners]) listener();
  }
}
