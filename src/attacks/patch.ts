import { AntidoteError } from "../core/errors.ts";
import { float32 } from "../core/tensor.ts";
import type { Geometry } from "../data/images.ts";
import { blend, type Overlay } from "../data/overlay.ts";

/**
 * The side of a patch, in pixels.
 * @param size as asked for; else that of the paper's patches: 3/32 of the image width, rounded down, less than 1 % of the area
 * @param margin pixels between the patch and the edges
 * @throws `INVALID_CONFIG` if it does not fit into the images
 */
export function patchSide(
  { height, width }: Geometry,
  { size, margin = 0 }: { readonly size?: number | undefined; readonly margin?: number },
): number {
  const side = size ?? Math.max(1, Math.floor((3 / 32) * width));
  if (side + margin <= Math.min(height, width)) return side;
  const around = margin > 0 ? ` and a margin of ${margin}` : "";
  throw new AntidoteError(
    "INVALID_CONFIG",
    `A patch of ${side} pixels${around} does not fit into images of ${width}×${height}.`,
    { place: "size", next: "Choose a smaller size or margin." },
  );
}

/** A place for a square in an image: its first row and column. */
export interface Place {
  readonly top: number;
  readonly left: number;
}

/**
 * A square grey patch as an overlay.
 * @param grey values in [0,1], [side,side]
 * @param opacity weight of the patch over the image, in (0,1]
 */
export function patchOverlay(
  { channels, height, width }: Geometry,
  grey: Float32Array,
  { top, left }: Place,
  opacity = 1,
): Overlay {
  const side = Math.sqrt(grey.length);
  const area = height * width;
  const picture = new Float32Array(channels * area); // [C,H,W]
  const cover = new Float32Array(area); // [H,W]
  grey.forEach((value, at) => {
    const pixel = (top + Math.floor(at / side)) * width + left + (at % side);
    cover[pixel] = opacity;
    for (let channel = 0; channel < channels; channel++) picture[channel * area + pixel] = value;
  });
  return blend(float32([channels, height, width], picture), float32([height, width], cover));
}
