import { cellsOf, type Mask } from "../raster/mask";
import type { ChangedTiles } from "../raster/tiles";
import { decodeMask, encodeMask } from "../raster/vse1";
import { gzip } from "./gzip";
import type { PackingAnswer, PackingOrder } from "./mask_copies";

export async function unpackMask(packed: Uint8Array<ArrayBuffer>): Promise<Mask> {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return decodeMask(new Uint8Array(await new Response(stream).arrayBuffer()));
}

/** Packs the states of one drawing, away from the drawing thread where the browser can: only what changed goes there. */
export class MaskPacker {
  private readonly drawing = ++drawings;
  private closed = false;

  constructor(
    private readonly mask: Mask,
    private readonly changed: ChangedTiles,
  ) {}

  /** The mask as it is at this moment. */
  pack(): Promise<Uint8Array<ArrayBuffer>> {
    const packer = this.closed ? null : worker();
    if (packer === null) return gzip(encodeMask(this.mask));
    const boxes = this.changed.take();
    const changes = boxes.map((box) => ({ box, cells: cellsOf(this.mask, box) }));
    const { width, height } = this.mask;
    const order: PackingOrder = { drawing: this.drawing, ticket: ++tickets, width, height, changes };
    return new Promise((done, failed) => {
      // Should the worker fail, the mask is packed as it is then, which holds everything drawn so far.
      const here = async () => gzip(encodeMask(this.mask));
      open.set(order.ticket, { done, here: () => void here().then(done, failed) });
      packer.postMessage(order, changes.flatMap(({ cells }) => [cells.target.buffer, cells.weight.buffer]));
    });
  }

  /** Let the worker's copy go. What is still packed afterwards is packed here. */
  close(): void {
    this.closed = true;
    started?.postMessage({ drawing: this.drawing, close: true } satisfies PackingOrder);
  }
}

let drawings = 0;
let tickets = 0;
let started: Worker | null | undefined;
const open = new Map<
  number,
  { done: (packed: Uint8Array<ArrayBuffer>) => void; here: () => void }
>();

function worker(): Worker | null {
  if (started !== undefined) return started;
  if (typeof Worker === "undefined") return (started = null);
  started = new Worker(new URL("./packing_worker.ts", import.meta.url), { type: "module" });
  started.onmessage = (event: MessageEvent<PackingAnswer>) => {
    const { ticket, packed } = event.data;
    const waiting = open.get(ticket);
    open.delete(ticket);
    if (packed === null) waiting?.here();
    else waiting?.done(packed);
  };
  // A worker that does not start must not cost a stroke: pack here instead.
  started.onerror = () => {
    started = null;
    const waiting = [...open.values()];
    open.clear();
    for (const { here } of waiting) here();
  };
  return started;
}
