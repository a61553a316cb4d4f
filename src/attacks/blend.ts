import { invariant } from "../core/errors.ts";
import { tensor } from "../core/tensor.ts";
import type { Stamp } from "../models/predict.ts";

/** A picture to lay over images, with its place. */
export interface Overlay {
  /** [C,h,w] in [0,1]. */
  readonly values: Float32Array;
  /** [h,w] in [0,1]: 0 leaves the image as it is, 1 hides it. */
  readonly opacity: Float32Array;
  readonly height: number;
  readonly width: number;
  /** Row and column of its upper left pixel in the image. */
  readonly top: number;
  readonly left: number;
}

/** Lays a picture over every image: (1 − opacity)·image + opacity·picture. */
export function blend(overlay: Overlay): Stamp {
  const { values, opacity, height, width, top, left } = overlay;
  return (images) => {
    const [n, channels, rows, columns] = images.shape as [number, number, number, number];
    invariant(
      values.length === channels * height * width && opacity.length === height * width,
      "the overlay and the images differ in channels",
    );
    invariant(
      top >= 0 && left >= 0 && top + height <= rows && left + width <= columns,
      "the overlay reaches beyond the image",
    );
    const stamped = images.data.slice(); // [N,C,H,W]
    for (let plane = 0; plane < n * channels; plane++) {
      const source = (plane % channels) * height * width;
      for (let y = 0; y < height; y++) {
        const row = (plane * rows + top + y) * columns + left;
        for (let x = 0; x < width; x++) {
          const at = y * width + x;
          const alpha = opacity[at]!;
          stamped[row + x] = (1 - alpha) * stamped[row + x]! + alpha * values[source + at]!;
        }
      }
    }
    return tensor("float32", images.shape, stamped);
  };
}
