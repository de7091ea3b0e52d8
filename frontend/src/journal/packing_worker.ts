import { gzip } from "./gzip";

self.onmessage = async (event: MessageEvent<{ ticket: number; bytes: Uint8Array<ArrayBuffer> }>) => {
  const packed = await gzip(event.data.bytes);
  self.postMessage({ ticket: event.data.ticket, packed });
};
