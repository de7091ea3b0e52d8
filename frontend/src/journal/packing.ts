import type { Mask } from "../raster/mask";
import { gzip } from "./gzip";
import { decodeMask, encodeMask } from "../raster/vse1";

export async function unpackMask(packed: Uint8Array<ArrayBuffer>): Promise<Mask> {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return decodeMask(new Uint8Array(await new Response(stream).arrayBuffer()));
}

/** The mask as it is at this moment, packed away from the drawing thread where the browser can. */
export function packMask(mask: Mask): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = encodeMask(mask);
  return worker() === null ? gzip(bytes) : packInWorker(bytes);
}

let started: Worker | null | undefined;
let asked = 0;
const open = new Map<number, { done: (packed: Uint8Array<ArrayBuffer>) => void; plain: Uint8Array<ArrayBuffer> | null }>();

function worker(): Worker | null {
  if (started !== undefined) return started;
  if (typeof Worker === "undefined") return (started = null);
  started = new Worker(new URL("./packing_worker.ts", import.meta.url), { type: "module" });
  started.onmessage = (event: MessageEvent<{ ticket: number; packed: Uint8Array<ArrayBuffer> }>) => {
    open.get(event.data.ticket)?.done(event.data.packed);
    open.delete(event.data.ticket);
  };
  // A worker that does not start must not cost a stroke: pack here instead.
  started.onerror = () => {
    started = null;
    for (const [ticket, { done, plain }] of open) {
      open.delete(ticket);
      if (plain !== null) void gzip(plain).then(done);
    }
  };
  return started;
}

function packInWorker(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Promise((done) => {
    const ticket = ++asked;
    open.set(ticket, { done, plain: bytes });
    started!.postMessage({ ticket, bytes });
  });
}
