/** Colour maps as anchor colours at equal steps; viridis and cividis can be read by the colour-blind. */
const ANCHORS = {
  viridis: "44015448186a472d7b4240863b528b33638d2c728e26828e21918c1fa08828ae803fbc735ec96284d44baddc30d8e219fde725",
  cividis: "00224e002e6a1a386f32436d434e6c535a6d61656f6f70737d7c788c88789b9476aba072bcae6ccdbb63dec958f0d846fee838",
  jet: "0000800000c80000ff0040ff0080ff00c0ff16ffe149ffad7dff7ab1ff46e4ff13ffd000ff9400ff5900ff1e00c40000800000",
} as const;

export type ColourMap = keyof typeof ANCHORS;
export const COLOUR_MAPS = Object.keys(ANCHORS) as ColourMap[];

/** 256 colours, three bytes each. */
export function colourTable(name: ColourMap): Uint8Array {
  const anchors = ANCHORS[name].match(/../g)!.map((pair) => Number.parseInt(pair, 16));
  const last = anchors.length / 3 - 1;
  return Uint8Array.from({ length: 3 * 256 }, (_, at) => {
    const place = (Math.floor(at / 3) / 255) * last;
    const low = Math.min(Math.floor(place), last - 1);
    const from = anchors[3 * low + (at % 3)];
    return Math.round(from + (place - low) * (anchors[3 * low + 3 + (at % 3)] - from));
  });
}
