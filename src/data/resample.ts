import type { Geometry } from "./images.ts";

/** The size of one plane of an image. */
type Extent = Pick<Geometry, "height" | "width">;

/** Images seen from other places: every pixel of the result is a weighted mean of four pixels. */
export interface Resampling {
  /** [H·W,4]: positions in the plane. */
  readonly sources: Int32Array;
  /** [H·W,4]: not negative; the four of a pixel sum to 1. */
  readonly weights: Float64Array;
}

/**
 * Bilinear interpolation between the four pixels around a place.
 * @param placeOf row and column in pixels where the pixel (y, x) of the result is read: in 0 … H−1 and
 * 0 … W−1, fractions allowed
 */
export function bilinear(
  { height, width }: Extent,
  placeOf: (y: number, x: number) => readonly [row: number, column: number],
): Resampling {
  const sources = new Int32Array(height * width * 4);
  const weights = new Float64Array(height * width * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [row, column] = placeOf(y, x);
      const [top, left] = [Math.floor(row), Math.floor(column)];
      const [bottom, right] = [Math.min(height - 1, top + 1), Math.min(width - 1, left + 1)];
      const [down, aside] = [row - top, column - left];
      const at = (y * width + x) * 4;
      sources.set([top * width + left, top * width + right], at);
      sources.set([bottom * width + left, bottom * width + right], at + 2);
      weights.set([(1 - down) * (1 - aside), (1 - down) * aside], at);
      weights.set([down * (1 - aside), down * aside], at + 2);
    }
  }
  return { sources, weights };
}

/** Resamples every plane of `images` ([…,H,W] row after row) and leaves them as they are. */
export function resample({ sources, weights }: Resampling, images: Float32Array): Float32Array {
  const result = new Float32Array(images.length);
  const area = sources.length / 4;
  for (let plane = 0; plane < images.length; plane += area) {
    for (let pixel = 0, tap = 0; pixel < area; pixel++, tap += 4) {
      result[plane + pixel] =
        weights[tap]! * images[plane + sources[tap]!]! +
        weights[tap + 1]! * images[plane + sources[tap + 1]!]! +
        weights[tap + 2]! * images[plane + sources[tap + 2]!]! +
        weights[tap + 3]! * images[plane + sources[tap + 3]!]!;
    }
  }
  return result;
}
