export type ColourMapName = "viridis" | "cividis" | "jet";
export const COLOUR_MAPS: readonly ColourMapName[] = ["viridis", "cividis", "jet"];

// Values at 33 even steps, linear between them: within one step of 255 of the published tables.
const VIRIDIS =
  "440154470d6048186a482374472d7b4537814240863e49893b528b375b8d33638d2f6b8e2c728e297a8e26828e23898e21918c1f988b1fa08822a78528ae8032b67a3fbc734ec36b5ec96270cf5784d44b98d83eaddc30c2df23d8e219ece51bfde725";
const CIVIDIS =
  "00224e00285b002e6a0533711a386f273e6e32436d3b496c434e6c4b546c535a6d5a5f6e61656f686a716f70737676767d7c788482798c8878938e789b9476a39a74aba072b4a76fbcae6cc4b468cdbb63d5c25edec958e7d150f0d846f9e03afee838";

/** 256 colours, three bytes each. */
export function colourTable(name: ColourMapName): Uint8Array {
  const kept = tables.get(name);
  if (kept !== undefined) return kept;
  const table = name === "jet" ? jet() : fromAnchors(name === "viridis" ? VIRIDIS : CIVIDIS);
  tables.set(name, table);
  return table;
}

const tables = new Map<ColourMapName, Uint8Array>();

function fromAnchors(hex: string): Uint8Array {
  const anchors = Array.from({ length: hex.length / 2 }, (_, i) => parseInt(hex.slice(2 * i, 2 * i + 2), 16));
  const last = anchors.length / 3 - 1;
  const table = new Uint8Array(768);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * last;
    const low = Math.min(last - 1, Math.floor(at));
    for (let c = 0; c < 3; c++) {
      const from = anchors[3 * low + c]!;
      table[3 * i + c] = Math.round(from + (anchors[3 * low + 3 + c]! - from) * (at - low));
    }
  }
  return table;
}

function jet(): Uint8Array {
  const table = new Uint8Array(768);
  const bump = (v: number) => Math.round(255 * Math.min(1, Math.max(0, 1.5 - Math.abs(4 * v))));
  for (let i = 0; i < 256; i++) {
    const v = i / 255;
    table.set([bump(v - 0.75), bump(v - 0.5), bump(v - 0.25)], 3 * i);
  }
  return table;
}
