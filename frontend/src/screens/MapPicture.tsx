import { useEffect, useRef } from "preact/hooks";
import type { AttentionMap } from "../heat/attention_map";
import type { ColourMapName } from "../heat/colour_maps";
import { paintHeat } from "../heat/heat_canvas";

const HEAT_SIDE = 512;
const LEAST_SIDE = 512;

interface Props {
  readonly picture: HTMLImageElement | null;
  readonly map: AttentionMap | null;
  readonly opacity: number;
  readonly colourMap: ColourMapName;
  readonly label: string;
}

/** A picture under a map, as large as its place allows. Nothing can be drawn here. */
export function MapPicture({ picture, map, opacity, colourMap, label }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const shown = canvas.current;
    if (shown === null || picture === null) return;
    const scale = Math.max(1, LEAST_SIDE / Math.max(picture.naturalWidth, picture.naturalHeight));
    shown.width = Math.round(picture.naturalWidth * scale);
    shown.height = Math.round(picture.naturalHeight * scale);
    const context = shown.getContext("2d")!;
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, 0, 0, shown.width, shown.height);
    if (map === null || map.dead || opacity === 0) return;
    context.globalAlpha = opacity;
    context.drawImage(paintHeat(map, colourMap, HEAT_SIDE), 0, 0, shown.width, shown.height);
  }, [picture, map, opacity, colourMap]);
  return <canvas ref={canvas} class="map-picture" role="img" aria-label={label} />;
}
