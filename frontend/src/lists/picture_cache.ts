import { fetchMap, pictureAddress } from "../api/server";
import { detailOf, Failure } from "../api/errors";
import type { AttentionMap } from "../heat/attention_map";

/** Pictures and maps that were or soon will be looked at; the oldest are let go. */
export class PictureCache {
  private readonly pictures = new Kept<Promise<HTMLImageElement>>(12);
  private readonly maps = new Kept<Promise<AttentionMap>>(600);
  private readonly turns: (() => void)[] = [];
  private running = 0;

  picture(key: number): Promise<HTMLImageElement> {
    return this.pictures.get(`${key}`, () => loadPicture(pictureAddress(key)));
  }

  map(key: number, run: string | null, class_: string | null = null, method: string | null = null): Promise<AttentionMap> {
    return this.maps.get(JSON.stringify([key, run, class_, method]), () => fetchMap(key, { run, class_, method }));
  }

  /** As `map`, but a few at a time and given up by `signal`: a grid asks for many. */
  async mapInTurn(key: number, run: string | null, signal: AbortSignal): Promise<AttentionMap> {
    if (this.maps.has(JSON.stringify([key, run, null, null]))) return this.map(key, run);
    if (this.running >= MAPS_AT_ONCE)
      await new Promise<void>((done) => {
        this.turns.push(done);
      });
    this.running++;
    try {
      if (signal.aborted) throw new DOMException("not looked at any more", "AbortError");
      return await this.map(key, run);
    } finally {
      this.running--;
      this.turns.pop()?.();
    }
  }

  prefetch(key: number, run: string | null): void {
    this.picture(key).catch(() => undefined);
    if (run !== null) this.map(key, run).catch(() => undefined);
  }
}

const MAPS_AT_ONCE = 4;

async function loadPicture(address: string): Promise<HTMLImageElement> {
  const picture = new Image();
  picture.decoding = "async";
  picture.src = address;
  try {
    await picture.decode();
  } catch (error) {
    throw new Failure("network", `The picture cannot be loaded (${detailOf(error)}).`);
  }
  return picture;
}

/** The values asked for last, at most `most`; a promise that fails is not kept. */
class Kept<T extends Promise<unknown>> {
  private readonly values = new Map<string, T>();

  constructor(private readonly most: number) {}

  has(name: string): boolean {
    return this.values.has(name);
  }

  get(name: string, make: () => T): T {
    let value = this.values.get(name);
    if (value === undefined) {
      value = make();
      const made = value;
      made.catch(() => {
        if (this.values.get(name) === made) this.values.delete(name);
      });
    } else this.values.delete(name);
    this.values.set(name, value);
    while (this.values.size > this.most) this.values.delete(this.values.keys().next().value!);
    return value;
  }
}
