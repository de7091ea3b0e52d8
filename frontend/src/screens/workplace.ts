import { createContext } from "preact";
import { useContext, useEffect, useReducer } from "preact/hooks";
import type { Study } from "../api/messages";
import { fetchImages, fetchPlace } from "../api/server";
import type { SavingDesk } from "../journal/saving_desk";
import { allImages, asParameters, type Filters } from "../lists/filters";
import { ImageList } from "../lists/image_list";
import { PictureCache } from "../lists/picture_cache";
import { readPreferences, writePreferences, type Preferences } from "../settings/preferences";
import type { TabChannel } from "../tabs/channel";

/** What all screens share: the study, the list in hand, the savers, the preferences. */
export class Workplace {
  readonly cache = new PictureCache();
  preferences: Preferences = readPreferences();
  filters: Filters;
  list: ImageList;
  authors: Set<string>;
  private readonly listeners = new Set<() => void>();

  constructor(
    readonly study: Study,
    readonly desk: SavingDesk,
    readonly channel: TabChannel,
  ) {
    this.authors = new Set([study.author, ...study.authors]);
    this.filters = allImages(study.run);
    this.list = this.newList(this.filters);
  }

  get run(): string | null {
    return this.filters.run;
  }

  prefer(change: Partial<Preferences>): void {
    this.preferences = { ...this.preferences, ...change };
    writePreferences(this.preferences);
    this.tell();
  }

  /** Look at other images, or at the same ones anew. */
  filter(change: Partial<Filters>): void {
    this.filters = { ...this.filters, ...change };
    this.list = this.newList(this.filters);
    this.tell();
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private newList(filters: Filters): ImageList {
    const list = new ImageList(
      (offset, limit) => fetchImages({ ...asParameters(filters), offset, limit }),
      async (key) => (await fetchPlace(key, asParameters(filters))).place,
    );
    list.subscribe(() => {
      for (const item of list.first?.items ?? []) if (item.author !== null) this.authors.add(item.author);
    });
    return list;
  }

  private tell(): void {
    for (const listener of [...this.listeners]) listener();
  }
}

export const WorkplaceContext = createContext<Workplace | null>(null);

/** The workplace; the component is shown again when it changes. */
export function useWorkplace(): Workplace {
  const workplace = useContext(WorkplaceContext)!;
  useChanges(workplace);
  return workplace;
}

/** Show the component again whenever `source` tells of a change. */
export function useChanges(source: { subscribe(listener: () => void): () => void } | null): void {
  const [, again] = useReducer((n: number) => n + 1, 0);
  useEffect(() => source?.subscribe(() => again(undefined)), [source]);
}
