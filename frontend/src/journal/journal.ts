/** One state of a mask, as it would be sent. */
export interface Packed {
  readonly stroke: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly comment: string;
}

/** What one tab has drawn on one image and the server has not acknowledged. */
export interface JournalEntry {
  readonly study: string;
  readonly key: number;
  readonly tab: string;
  readonly base: number;
  readonly sending: Packed | null;
  readonly drawn: Packed | null;
  readonly time: number;
}

/** A drawing that gave way to another's revision: it stays here, to be looked at and taken again. */
export interface SetAside {
  readonly id?: number;
  readonly study: string;
  readonly key: number;
  readonly packed: Packed;
  readonly time: number;
}

/** Where unsent strokes are kept. */
export interface Journal {
  /** Whether it outlives this tab. */
  readonly lasting: boolean;
  /** Done when it is written. */
  write(entry: JournalEntry): Promise<void>;
  remove(study: string, key: number, tab: string): Promise<void>;
  entries(study: string): Promise<JournalEntry[]>;
  /** Give an entry of a tab that is gone to another tab, at once or not at all. */
  move(entry: JournalEntry, tab: string): Promise<void>;
  setAside(drawing: SetAside): Promise<void>;
  asides(study: string, key: number): Promise<SetAside[]>;
}

const NAME = "visteer";
const ENTRIES = "unsent";
const ASIDES = "aside";

/** The journal in IndexedDB; in memory alone where the browser refuses one. */
export async function openJournal(factory: IDBFactory | undefined = globalThis.indexedDB): Promise<Journal> {
  try {
    if (factory === undefined) return memoryJournal();
    return databaseJournal(await openDatabase(factory));
  } catch {
    return memoryJournal();
  }
}

function openDatabase(factory: IDBFactory): Promise<IDBDatabase> {
  return new Promise((done, failed) => {
    const request = factory.open(NAME, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(ENTRIES, { keyPath: ["study", "key", "tab"] });
      request.result.createObjectStore(ASIDES, { keyPath: "id", autoIncrement: true }).createIndex("image", ["study", "key"]);
    };
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
    request.onblocked = () => failed(new Error("the journal is held open by an older page"));
  });
}

function databaseJournal(database: IDBDatabase): Journal {
  const write = (store: string, act: (store: IDBObjectStore) => void): Promise<void> =>
    new Promise((done, failed) => {
      const transaction = database.transaction(store, "readwrite", { durability: "strict" });
      transaction.oncomplete = () => done();
      transaction.onerror = transaction.onabort = () => failed(transaction.error);
      act(transaction.objectStore(store));
    });
  const read = <T>(store: string, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> =>
    new Promise((done, failed) => {
      const request = act(database.transaction(store).objectStore(store));
      request.onsuccess = () => done(request.result);
      request.onerror = () => failed(request.error);
    });
  return {
    lasting: true,
    write: (entry) => write(ENTRIES, (store) => store.put(entry)),
    remove: (study, key, tab) => write(ENTRIES, (store) => store.delete([study, key, tab])),
    // Arrays sort behind all numbers, so this range is all keys of the study.
    entries: (study) => read(ENTRIES, (store) => store.getAll(IDBKeyRange.bound([study], [study, []]))),
    move: (entry, tab) =>
      write(ENTRIES, (store) => {
        store.delete([entry.study, entry.key, entry.tab]);
        store.put({ ...entry, tab });
      }),
    setAside: (drawing) => write(ASIDES, (store) => store.add(drawing)),
    asides: (study, key) => read(ASIDES, (store) => store.index("image").getAll([study, key])),
  };
}

/** Keeps nothing beyond the tab. */
export function memoryJournal(): Journal {
  const entries = new Map<string, JournalEntry>();
  const asides: SetAside[] = [];
  const nameOf = (study: string, key: number, tab: string) => JSON.stringify([study, key, tab]);
  return {
    lasting: false,
    write: async (entry) => void entries.set(nameOf(entry.study, entry.key, entry.tab), entry),
    remove: async (study, key, tab) => void entries.delete(nameOf(study, key, tab)),
    entries: async (study) => [...entries.values()].filter((entry) => entry.study === study),
    move: async (entry, tab) => {
      entries.delete(nameOf(entry.study, entry.key, entry.tab));
      entries.set(nameOf(entry.study, entry.key, tab), { ...entry, tab });
    },
    setAside: async (drawing) => void asides.push({ ...drawing, id: asides.length + 1 }),
    asides: async (study, key) => asides.filter((aside) => aside.study === study && aside.key === key),
  };
}
