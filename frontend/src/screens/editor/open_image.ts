import { detailOf } from "../../api/errors";
import type { ImageFacts } from "../../api/messages";
import { fetchEdit, fetchImage, type StoredEdit } from "../../api/server";
import type { AttentionMap } from "../../heat/attention_map";
import type { ImageSaver } from "../../journal/image_saver";
import { MaskPacker, unpackMask } from "../../journal/packing";
import { countKinds, emptyMask, resampleMask, type Mask } from "../../raster/mask";
import { Drawing } from "../../tools/drawing";
import type { Workplace } from "../workplace";

const PROGRESS_MS = 250;
/** Of the time, at most one part in so many goes to journalling a stroke in progress. */
const PROGRESS_SHARE = 4;

/** One image in the editor: what is known of it, its drawing, and the saving of it. */
export class OpenImage {
  picture: HTMLImageElement | null = null;
  facts: ImageFacts | null = null;
  map: AttentionMap | null = null;
  drawing: Drawing | null = null;
  private packer: MaskPacker | null = null;
  saver: ImageSaver | null = null;
  /** Who drew the revision in hand, and when; null where there is none. */
  stored: StoredEdit | null = null;
  comment = "";
  touched = false;
  errors: { picture?: string; facts?: string; map?: string; edit?: string } = {};
  private readonly listeners = new Set<() => void>();
  private readonly unpin: () => void;
  private closed = false;
  private nextProgress = 0;
  private keeping = false;

  constructor(
    private readonly workplace: Workplace,
    readonly key: number,
  ) {
    this.unpin = workplace.desk.pin(key);
  }

  load(): void {
    this.errors = {};
    const { cache, run } = this.workplace;
    const into = <T>(part: keyof OpenImage["errors"], promise: Promise<T>, take: (value: T) => void) =>
      promise.then(
        (value) => {
          if (this.closed) return;
          take(value);
          this.tell();
        },
        (error: unknown) => {
          this.errors[part] = detailOf(error);
          this.tell();
        },
      );
    const picture = cache.picture(this.key);
    void into("picture", picture, (value) => (this.picture = value));
    void into("facts", fetchImage(this.key, run), (value) => {
      this.facts = value;
      if (this.comment === "") this.comment = value.comment;
    });
    if (run !== null) void into("map", cache.map(this.key, run), (value) => (this.map = value));
    void into("edit", this.loadEdit(picture), () => undefined);
  }

  async showMap(class_: string | null, method: string | null): Promise<void> {
    try {
      const map = await this.workplace.cache.map(this.key, this.workplace.run, class_, method);
      if (this.closed) return;
      this.map = map;
      delete this.errors.map;
    } catch (error) {
      this.errors.map = detailOf(error);
    }
    this.tell();
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  tell(): void {
    for (const listener of [...this.listeners]) listener();
  }

  /** Leave the image. What is unsent goes on being sent. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.unpin();
    this.saver?.flush();
    this.packer?.close();
  }

  strokeStarted(): void {
    this.touched = true;
    // A young stroke may turn out to be the first finger of a pinch, and is not journalled.
    this.nextProgress = performance.now() + PROGRESS_MS;
    this.saver!.penDown();
  }

  /** While the pen is down: journal it now and then, so that a tab that dies takes nothing with it. */
  strokeProgressed(): void {
    const now = performance.now();
    if (this.keeping || now < this.nextProgress) return;
    this.keeping = true;
    void this.keep().finally(() => {
      this.keeping = false;
      const took = performance.now() - now;
      this.nextProgress = now + Math.max(PROGRESS_MS, PROGRESS_SHARE * took);
    });
  }

  strokeFinished(changed: boolean): void {
    if (changed) void this.keep();
    this.saver!.penUp();
    this.tell();
  }

  keep(): Promise<void> {
    this.touched = true;
    return this.saver!.keep(this.packer!.pack(), this.comment).catch(() => undefined);
  }

  /** Show what the server has now, as one stroke that can be undone. Gives whether it was taken. */
  async takeFromServer(): Promise<boolean> {
    return this.take(await fetchEdit(this.key));
  }

  /** Show what the server has just given, unless something is drawn here that it does not know of. */
  take(edit: StoredEdit): boolean {
    const { base, penDown } = this.saver!.state;
    // What is being drawn here counts: should both be new, saving it shows the conflict.
    if (this.closed || penDown || this.saver!.unsaved || edit.revision < base) return false;
    const { width, height } = this.drawing!.mask;
    this.drawing!.replace(edit.mask ?? emptyMask(width, height));
    this.saver!.rebase(edit.revision);
    this.stored = edit.mask === null ? null : edit;
    this.tell();
    return true;
  }

  get hasDrawing(): boolean {
    if (this.drawing === null) return false;
    const { relevant, irrelevant } = countKinds(this.drawing.mask);
    return relevant + irrelevant > 0;
  }

  private async loadEdit(picture: Promise<HTMLImageElement>): Promise<void> {
    const before = this.workplace.desk.existing(this.key);
    await before?.packedAll();
    const unsent = before?.newest ?? null;
    const edit = unsent === null ? await fetchEdit(this.key) : null;
    const { naturalWidth: width, naturalHeight: height } = await picture;
    // Since then more may have been drawn here in a former visit.
    const newest = this.workplace.desk.existing(this.key)?.newest ?? unsent;
    let mask: Mask;
    if (newest !== null) {
      mask = resampleMask(await unpackMask(newest.bytes), width, height);
      this.comment = newest.comment;
      this.touched = true;
    } else mask = edit?.mask ? resampleMask(edit.mask, width, height) : emptyMask(width, height);
    if (this.closed) return;
    this.stored = edit?.mask ? edit : null;
    this.saver = this.workplace.desk.saverOf(this.key, edit?.revision ?? 0);
    if (edit !== null) this.saver.rebase(edit.revision);
    this.drawing = new Drawing(mask);
    this.packer = new MaskPacker(mask, this.drawing.changed);
  }
}
