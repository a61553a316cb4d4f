import { type FloatTensor, float32, type Shape } from "../../src/core/tensor.ts";
import { toUnitRange } from "../../src/data/images.ts";
import { fill } from "../train/fill.ts";

/** What `images` in `goldens/generate_attacks.py` makes: images as bytes, a function of seed and shape. */
export function bytes(seed: number, shape: Shape): Uint8Array {
  return Uint8Array.from(fill(seed, shape).data, (value) =>
    Math.floor(((value + 1) / 2) * 255.999),
  );
}

/** The same in [0,1]. */
export function byteImages(seed: number, shape: Shape): FloatTensor {
  return float32(shape, toUnitRange(bytes(seed, shape)));
}

/** Whether two arrays hold the same values; quicker than a comparison that can say where they differ. */
export function same(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  return a.length === b.length && Array.prototype.every.call(a, (value, i) => value === b[i]);
}
