/** What was drawn on one image and is not acknowledged by the server yet. */
export interface Drawing {
  /** The image. */
  key: number;
  /** The whole edit after the last stroke, coded as the server stores it. */
  bytes: Uint8Array<ArrayBuffer>;
  /** The revision that it was drawn on. */
  base: number;
  /** The name of this state: sending it twice stores it once. */
  stroke: string;
  /** A conflict found by the server: the revision that came in between. */
  conflict?: number;
}

const STORE = "drawings";

/** A name for a state of a drawing that nobody has used. (`crypto.randomUUID` is missing on plain http to another host.) */
export function newStroke(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** The browser's own record of unsent drawings: it outlives the tab, the network and the server. */
export class Journal {
  private constructor(private readonly database: IDBDatabase) {}

  /** Open the journal of a study. */
  static async open(study: string): Promise<Journal> {
    const request = indexedDB.open(`visteer ${study}`, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "key" });
    return new Journal(await done(request));
  }

  /** Keep `drawing`, in place of an earlier one of its image; it is on disk when this resolves. */
  async keep(drawing: Drawing): Promise<void> {
    await this.write((store) => store.put(drawing));
  }

  /** The unsent drawing of an image. */
  async of(key: number): Promise<Drawing | undefined> {
    return done(this.database.transaction(STORE).objectStore(STORE).get(key));
  }

  /** All unsent drawings. */
  async all(): Promise<Drawing[]> {
    return done(this.database.transaction(STORE).objectStore(STORE).getAll());
  }

  /** Forget a drawing that the server has, unless the image was drawn on since. */
  async forget(key: number, stroke: string): Promise<void> {
    await this.change(key, stroke, (store) => store.delete(key));
  }

  /** Note the conflict that sending `stroke` met. */
  async markConflict(key: number, stroke: string, latest: number): Promise<void> {
    await this.change(key, stroke, (store, kept) => store.put({ ...kept, conflict: latest }));
  }

  /** Let what was drawn since stand on the revision that the server gave to an earlier state. */
  async rebase(key: number, base: number): Promise<void> {
    await this.write((store) => {
      const request = store.get(key);
      request.onsuccess = () => {
        const kept: Drawing | undefined = request.result;
        if (kept && kept.base < base && kept.conflict === undefined) store.put({ ...kept, base });
      };
    });
  }

  close(): void {
    this.database.close();
  }

  private async change(
    key: number,
    stroke: string,
    act: (store: IDBObjectStore, kept: Drawing) => void,
  ): Promise<void> {
    await this.write((store) => {
      const request = store.get(key);
      request.onsuccess = () => {
        const kept: Drawing | undefined = request.result;
        if (kept?.stroke === stroke) act(store, kept);
      };
    });
  }

  private write(act: (store: IDBObjectStore) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const transaction = this.database.transaction(STORE, "readwrite", { durability: "strict" });
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
      act(transaction.objectStore(STORE));
    });
  }
}

function done<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
