import { beforeEach, describe, expect, it, vi } from "vitest";
import { MaskCopies, type PackingAnswer, type PackingOrder } from "../../src/journal/mask_copies";
import { emptyMask } from "../../src/raster/mask";
import { encodeMask } from "../../src/raster/vse1";
import { gzip } from "../../src/journal/gzip";
import { Drawing } from "../../src/tools/drawing";

const RELEVANT = { kind: "relevant", strength: 1 } as const;

/** A worker in this thread, which fails when it is told to. */
class FakeWorker {
  static broken: "no" | "answers null" | "dies" = "no";
  static orders = 0;
  onmessage: (event: { data: PackingAnswer }) => void = () => undefined;
  onerror: () => void = () => undefined;
  private readonly copies = new MaskCopies();

  postMessage(order: PackingOrder): void {
    FakeWorker.orders++;
    const mask = this.copies.follow(order);
    if (mask === null || "close" in order) return;
    const { ticket } = order;
    if (FakeWorker.broken === "dies") queueMicrotask(() => this.onerror());
    else if (FakeWorker.broken === "answers null") queueMicrotask(() => this.onmessage({ data: { ticket, packed: null } }));
    else void gzip(encodeMask(mask)).then((packed) => this.onmessage({ data: { ticket, packed } }));
  }
}

let packing: typeof import("../../src/journal/packing");

beforeEach(async () => {
  vi.resetModules();
  vi.stubGlobal("Worker", FakeWorker);
  FakeWorker.broken = "no";
  FakeWorker.orders = 0;
  packing = await import("../../src/journal/packing");
});

const packerOf = (drawing: Drawing) => new packing.MaskPacker(drawing.mask, drawing.changed);
const same = async (bytes: Promise<Uint8Array<ArrayBuffer>>, drawing: Drawing) =>
  expect(await packing.unpackMask(await bytes)).toEqual(drawing.mask);

describe("MaskPacker", () => {
  it("packs in the worker, told of changes alone", async () => {
    const drawing = new Drawing(emptyMask(150, 90));
    const packer = packerOf(drawing);
    for (const x of [10, 80, 140]) {
      drawing.begin(RELEVANT).moveTo(x, 40, { radius: 5, softness: 0 });
      await same(packer.pack(), drawing);
    }
    expect(FakeWorker.orders).toBe(3);
  });

  it.each(["answers null", "dies"] as const)("packs here when the worker %s", async (how) => {
    FakeWorker.broken = how;
    const drawing = new Drawing(emptyMask(70, 70));
    const packer = packerOf(drawing);
    drawing.begin(RELEVANT).moveTo(30, 30, { radius: 5, softness: 0 });
    await same(packer.pack(), drawing);
    await same(packer.pack(), drawing);
  });

  it("packs all of a drawing that was closed, though the worker has let it go", async () => {
    const drawing = new Drawing(emptyMask(70, 70));
    const packer = packerOf(drawing);
    drawing.begin(RELEVANT).moveTo(30, 30, { radius: 5, softness: 0 });
    await packer.pack();
    packer.close();
    await same(packer.pack(), drawing);
  });
});
