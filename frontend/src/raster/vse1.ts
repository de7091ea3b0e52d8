import type { Mask } from "./mask";

const HEADER = 12;
const MAX_SIDE = 4096;

/** A mask as bytes: `VSE1`, width and height (uint32 LE), targets (uint16 LE), weights (uint8). */
export function encodeMask(mask: Mask): Uint8Array<ArrayBuffer> {
  const cells = mask.width * mask.height;
  const bytes = new Uint8Array(HEADER + 3 * cells);
  const view = new DataView(bytes.buffer);
  bytes.set([0x56, 0x53, 0x45, 0x31]);
  view.setUint32(4, mask.width, true);
  view.setUint32(8, mask.height, true);
  if (isLittleEndian) bytes.set(new Uint8Array(mask.target.buffer, mask.target.byteOffset, 2 * cells), HEADER);
  else for (let i = 0; i < cells; i++) view.setUint16(HEADER + 2 * i, mask.target[i]!, true);
  bytes.set(mask.weight, HEADER + 2 * cells);
  return bytes;
}

/** Undo `encodeMask`. Throws a RangeError with one line for anything else. */
export function decodeMask(bytes: Uint8Array): Mask {
  if (bytes.length < HEADER || String.fromCharCode(...bytes.subarray(0, 4)) !== "VSE1")
    throw new RangeError("these bytes are no edit");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const width = view.getUint32(4, true);
  const height = view.getUint32(8, true);
  if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE)
    throw new RangeError(`an edit has sides from 1 to ${MAX_SIDE}, not ${width} x ${height}`);
  const cells = width * height;
  if (bytes.length !== HEADER + 3 * cells)
    throw new RangeError(`an edit of ${width} x ${height} cells has ${HEADER + 3 * cells} bytes, not ${bytes.length}`);
  const target = new Uint16Array(cells);
  if (isLittleEndian) new Uint8Array(target.buffer).set(bytes.subarray(HEADER, HEADER + 2 * cells));
  else for (let i = 0; i < cells; i++) target[i] = view.getUint16(HEADER + 2 * i, true);
  return { width, height, target, weight: bytes.slice(HEADER + 2 * cells) };
}

const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
