import { IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Failure } from "../../src/api/errors";
import type { Save } from "../../src/api/server";
import { ImageSaver, type World } from "../../src/journal/image_saver";
import { openJournal, type Journal } from "../../src/journal/journal";
import { MaskPacker, unpackMask } from "../../src/journal/packing";
import { SavingDesk } from "../../src/journal/saving_desk";
import { emptyMask, type Mask } from "../../src/raster/mask";
import { ChangedTiles } from "../../src/raster/tiles";

globalThis.IDBKeyRange = IDBKeyRange;

/** A server of one image that keeps revisions, refuses what is based on an old one, and knows strokes again. */
class Server {
  revisions: { bytes: Uint8Array<ArrayBuffer>; author: string }[] = [];
  strokes = new Map<string, number>();
  down: "no" | "before storing" | "after storing" | "session" = "no";
  calls = 0;

  send = async (_: number, save: Save): Promise<number> => {
    this.calls++;
    if (this.down === "before storing") throw new Failure("network", "gone");
    if (this.down === "session") throw new Failure("session", "ended");
    const known = this.strokes.get(save.stroke);
    if (known !== undefined) return known;
    if (save.basedOn !== this.revisions.length)
      throw new Failure("conflict", "newer", { revision: this.revisions.length, author: this.revisions.at(-1)!.author });
    this.revisions.push({ bytes: save.bytes, author: "me" });
    this.strokes.set(save.stroke, this.revisions.length);
    if (this.down === "after storing") throw new Failure("network", "lost");
    return this.revisions.length;
  };
}

let factory: IDBFactory;
let journal: Journal;
let server: Server;
let strokes: number;

const worldOf = (tab: string): World => ({
  journal, study: "busi", tab, send: server.send, stored: () => undefined, now: () => ++strokes,
  newStroke: () => `stroke ${++strokes}`,
});
const maskOf = (value: number): Mask => {
  const mask = emptyMask(6, 4);
  mask.weight.fill(value);
  return mask;
};
const packed = (value: number) => packerOf(maskOf(value)).pack();
const packerOf = (mask: Mask) => new MaskPacker(mask, new ChangedTiles(mask));
const onServer = async () => Promise.all(server.revisions.map(async (r) => (await unpackMask(r.bytes)).weight[0]));
const wait = (ms: number) => new Promise((done) => setTimeout(done, ms));
const noOthers = async () => new Set<string>();

beforeEach(async () => {
  factory = new IDBFactory();
  journal = await openJournal(factory);
  server = new Server();
  strokes = 0;
});
afterEach(() => vi.useRealTimers());

describe("ImageSaver", () => {
  it("has a stroke in the journal before anything is sent, and out of it once it is stored", async () => {
    const saver = new ImageSaver(worldOf("a"), 5, 0);
    await saver.keep(packed(9), "said");
    expect(server.calls).toBe(0);
    const [entry] = await journal.entries("busi");
    expect(entry).toMatchObject({ key: 5, base: 0, tab: "a", sending: null, drawn: { comment: "said" } });
    expect((await unpackMask(entry!.drawn!.bytes)).weight[0]).toBe(9);
    await saver.settled();
    expect(await onServer()).toEqual([9]);
    await wait(20);
    expect(await journal.entries("busi")).toEqual([]);
  });

  it("sends by itself after a rest, once, what was drawn last", async () => {
    const saver = new ImageSaver(worldOf("a"), 5, 0);
    for (const value of [1, 2, 3]) await saver.keep(packed(value), "");
    await wait(1000);
    expect(await onServer()).toEqual([3]);
    expect(saver.unsaved).toBe(false);
  });

  it("takes the mask as it is when the stroke ends, whatever is drawn while it is packed", async () => {
    const saver = new ImageSaver(worldOf("a"), 5, 0);
    const mask = maskOf(1);
    const kept = saver.keep(packerOf(mask).pack(), "");
    mask.weight.fill(2);
    await kept;
    expect((await unpackMask(saver.newest!.bytes)).weight[0]).toBe(1);
  });

  it("counts what could not be packed as unsaved, and is mended by the next state", async () => {
    const saver = new ImageSaver(worldOf("a"), 5, 0);
    await expect(saver.keep(Promise.reject(new Error("no memory")), "")).rejects.toThrow("no memory");
    expect([saver.unsaved, saver.journalled]).toEqual([true, false]);
    await expect(saver.settled()).rejects.toThrow("cannot be saved");
    await saver.keep(packed(7), "");
    await saver.settled();
    expect([saver.unsaved, saver.journalled]).toEqual([false, true]);
    expect(await onServer()).toEqual([7]);
  });

  it("stores nothing twice when the answer is lost", async () => {
    const saver = new ImageSaver(worldOf("a"), 5, 0);
    server.down = "after storing";
    await saver.keep(packed(1), "");
    await expect(saver.settled()).rejects.toThrow("lost");
    await saver.keep(packed(2), "");
    server.down = "no";
    await saver.settled();
    expect(await onServer()).toEqual([1, 2]);
  });

  it("keeps both on a conflict: mine as the next revision", async () => {
    const saver = new ImageSaver(worldOf("a"), 5, 0);
    server.revisions.push({ bytes: new Uint8Array(), author: "Bo" });
    await saver.keep(packed(1), "");
    await expect(saver.settled()).rejects.toThrow("newer");
    expect(saver.state.theirs).toEqual({ revision: 1, author: "Bo" });
    saver.keepMine();
    await saver.settled();
    expect(server.revisions.length).toBe(2);
  });

  it("keeps both on a conflict: theirs, with mine set aside in the journal", async () => {
    const saver = new ImageSaver(worldOf("a"), 5, 0);
    server.revisions.push({ bytes: new Uint8Array(), author: "Bo" });
    await saver.keep(packed(8), "why");
    await saver.settled().catch(() => undefined);
    await saver.takeTheirs();
    expect(saver.unsaved).toBe(false);
    expect(await journal.entries("busi")).toEqual([]);
    const [aside] = await journal.asides("busi", 5);
    expect(aside!.packed.comment).toBe("why");
    expect((await unpackMask(aside!.packed.bytes)).weight[0]).toBe(8);
  });

  it("says so when the journal cannot be written, and saves all the same", async () => {
    journal = { ...journal, write: () => Promise.reject(new Error("full")) };
    const saver = new ImageSaver(worldOf("a"), 5, 0);
    await saver.keep(packed(1), "");
    expect(saver.journalled).toBe(false);
    await saver.settled();
    expect(await onServer()).toEqual([1]);
  });
});

describe("SavingDesk", () => {
  /** Draw in a tab that is then gone, having been able to send or not. */
  async function lostTab(tab: string, value: number): Promise<void> {
    const saver = new ImageSaver(worldOf(tab), 5, 0);
    await saver.keep(packed(value), "");
    await saver.settled().catch(() => undefined);
    await wait(20);
    saver.close();
  }

  it.each(["before storing", "after storing", "session"] as const)("replays what a tab left (server down: %s)", async (down) => {
    server.down = down;
    await lostTab("gone", 4);
    server.down = "no";
    journal = await openJournal(factory);
    const desk = new SavingDesk(worldOf("new"), noOthers);
    expect(await desk.recover()).toEqual([5]);
    await desk.existing(5)!.settled();
    expect(await onServer()).toEqual([4]);
    await wait(20);
    expect(await journal.entries("busi")).toEqual([]);
  });

  it("replays a stroke that was never sent, after what was perhaps stored", async () => {
    server.down = "after storing";
    const saver = new ImageSaver(worldOf("gone"), 5, 0);
    await saver.keep(packed(1), "");
    await saver.settled().catch(() => undefined);
    await saver.keep(packed(2), "");
    saver.close();
    server.down = "no";
    const desk = new SavingDesk(worldOf("new"), noOthers);
    await desk.recover();
    await desk.existing(5)!.settled();
    expect(await onServer()).toEqual([1, 2]);
  });

  it("leaves alone what belongs to a tab that lives, or to another study", async () => {
    server.down = "before storing";
    await lostTab("alive", 4);
    const desk = new SavingDesk(worldOf("new"), async () => new Set(["alive"]));
    expect(await desk.recover()).toEqual([]);
    const other = new SavingDesk({ ...worldOf("new"), study: "isic" }, noOthers);
    expect(await other.recover()).toEqual([]);
    expect((await journal.entries("busi")).length).toBe(1);
  });

  it("takes two lost tabs of one image one after the other, and loses neither", async () => {
    server.down = "before storing";
    await lostTab("first", 1);
    await lostTab("second", 2);
    server.down = "no";
    const desk = new SavingDesk(worldOf("new"), noOthers);
    expect(await desk.recover()).toEqual([5]);
    await desk.existing(5)!.settled();
    await wait(20);
    expect((await journal.entries("busi")).length).toBe(1);
    expect(await desk.recover()).toEqual([5]);
    await desk.existing(5)!.settled().catch(() => undefined);
    expect(desk.existing(5)!.state.phase).toBe("conflict");
    desk.existing(5)!.keepMine();
    await desk.existing(5)!.settled();
    expect(await onServer()).toEqual([1, 2]);
  });
});

describe("openJournal", () => {
  it("works from memory where the browser has no database, and says that it does not last", async () => {
    const inMemory = await openJournal(undefined);
    expect(inMemory.lasting).toBe(false);
    const saver = new ImageSaver({ ...worldOf("a"), journal: inMemory }, 5, 0);
    await saver.keep(packed(1), "");
    expect((await inMemory.entries("busi")).length).toBe(1);
  });
});
