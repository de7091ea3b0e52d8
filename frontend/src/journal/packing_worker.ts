import { encodeMask } from "../raster/vse1";
import { gzip } from "./gzip";
import { MaskCopies, type PackingAnswer, type PackingOrder } from "./mask_copies";

const copies = new MaskCopies();

self.onmessage = async (event: MessageEvent<PackingOrder>) => {
  const order = event.data;
  if ("close" in order) return void copies.follow(order);
  const answer = (packed: PackingAnswer["packed"]) =>
    self.postMessage({ ticket: order.ticket, packed } satisfies PackingAnswer, { transfer: packed === null ? [] : [packed.buffer] });
  try {
    answer(await gzip(encodeMask(copies.follow(order)!)));
  } catch {
    // As when there is no memory: the page packs it.
    answer(null);
  }
};
