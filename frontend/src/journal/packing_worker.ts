import { encodeMask } from "../raster/vse1";
import { gzip } from "./gzip";
import { MaskCopies, type PackingAnswer, type PackingOrder } from "./mask_copies";

const copies = new MaskCopies();

self.onmessage = async (event: MessageEvent<PackingOrder>) => {
  const mask = copies.follow(event.data);
  if (mask === null || "close" in event.data) return;
  const packed = await gzip(encodeMask(mask));
  self.postMessage({ ticket: event.data.ticket, packed } satisfies PackingAnswer, { transfer: [packed.buffer] });
};
