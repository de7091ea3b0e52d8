/** A map of where the model looks: values from 0 to 1, row by row. */
export interface AttentionMap {
  readonly width: number;
  readonly height: number;
  readonly values: Float32Array;
  /** It was zero everywhere: there is nothing to see. */
  readonly dead: boolean;
}

/** Read base64 of float32, little-endian. */
export function decodeValues(text: string): Float32Array {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length >> 2 }, (_, i) => view.getFloat32(4 * i, true));
}

/** Bilinear, with the centres of cells as the known points, as the heat map is drawn. */
export function resizeMap(map: AttentionMap, width: number, height: number): Float32Array {
  const result = new Float32Array(width * height);
  const columns = samplePoints(map.width, width);
  const rows = samplePoints(map.height, height);
  for (let y = 0; y < height; y++) {
    const row = rows[y]!;
    const [upper, lower] = [row.low * map.width, row.high * map.width];
    for (let x = 0; x < width; x++) {
      const { low, high, share } = columns[x]!;
      const above = map.values[upper + low]! * (1 - share) + map.values[upper + high]! * share;
      const below = map.values[lower + low]! * (1 - share) + map.values[lower + high]! * share;
      result[y * width + x] = above * (1 - row.share) + below * row.share;
    }
  }
  return result;
}

function samplePoints(old: number, count: number): { low: number; high: number; share: number }[] {
  return Array.from({ length: count }, (_, i) => {
    const at = Math.min(old - 1, Math.max(0, ((i + 0.5) * old) / count - 0.5));
    const low = Math.floor(at);
    return { low, high: Math.min(old - 1, low + 1), share: at - low };
  });
}
