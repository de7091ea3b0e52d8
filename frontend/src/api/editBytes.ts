import { Mask } from "../raster/mask";

/** "VSE1": the stored form of an edit; see `edit_bytes.py`. */
const MAGIC = [0x56, 0x53, 0x45, 0x31];
const HEADER = 12;

/** An edit as bytes: magic, width, height (uint32), target rows (uint16), weight rows (uint8), little-endian. */
export function encodeEdit(mask: Mask): Uint8Array<ArrayBuffer> {
  const cells = mask.width * mask.height;
  const bytes = new Uint8Array(HEADER + 3 * cells);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(4, mask.width, true);
  view.setUint32(8, mask.height, true);
  new Uint16Array(bytes.buffer, HEADER, cells).set(mask.target); // every browser's machine is little-endian
  bytes.set(mask.weight, HEADER + 2 * cells);
  return bytes;
}

/** The edit in `bytes`; throws a RangeError where they are none. */
export function decodeEdit(bytes: Uint8Array<ArrayBuffer>): Mask {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER || MAGIC.some((byte, at) => bytes[at] !== byte)) throw new RangeError("no edit");
  const width = view.getUint32(4, true);
  const height = view.getUint32(8, true);
  const cells = width * height;
  if (bytes.length !== HEADER + 3 * cells) throw new RangeError("an edit of another length than its size says");
  const target = new Uint16Array(cells);
  for (let at = 0; at < cells; at++) target[at] = view.getUint16(HEADER + 2 * at, true);
  return new Mask(width, height, target, bytes.slice(HEADER + 2 * cells));
}

/**
 * `mask` on a raster of another size, each cell from the one under its middle. An edit may have been made on another
 * grid, such as that of a data set's masks.
 */
export function resample(mask: Mask, width: number, height: number): Mask {
  if (mask.width === width && mask.height === height) return mask;
  const out = new Mask(width, height);
  for (let y = 0; y < height; y++) {
    const row = Math.floor(((y + 0.5) * mask.height) / height) * mask.width;
    for (let x = 0; x < width; x++) {
      const from = row + Math.floor(((x + 0.5) * mask.width) / width);
      out.target[y * width + x] = mask.target[from];
      out.weight[y * width + x] = mask.weight[from];
    }
  }
  return out;
}
