import { readFileSync } from "node:fs";
import {
  type FloatTensor,
  float32,
  int64,
  type Shape,
  sizeOf,
  type Tensor,
} from "../../src/core/tensor.ts";

/** Values that `goldens/make.py` computes in the same way: uniform in ±bound, a function of seed and position. */
export function fill(seed: number, shape: Shape, bound = 1): FloatTensor {
  const values = Float32Array.from({ length: sizeOf(shape) }, (_, i) => {
    let x = (Math.imul(i + 1, 2654435761) + Math.imul(seed, 40503 * 65537)) >>> 0;
    x ^= x >>> 15;
    x = Math.imul(x, 2246822519) >>> 0;
    x ^= x >>> 13;
    return bound * (2 * ((x >>> 0) / 2 ** 32) - 1);
  });
  return float32(shape, values);
}

/** The start value of the parameter `name` at position `seed` among the parameters, as `start` in `make.py`. */
export function startValue(seed: number, name: string, shape: Shape): FloatTensor {
  if (shape.length > 1) return fill(seed, shape, Math.sqrt(3 / (sizeOf(shape) / shape[0]!)));
  const small = fill(seed, shape, 0.2);
  return name.endsWith("weight")
    ? float32(
        shape,
        small.data.map((value) => 1 + value),
      )
    : small;
}

/** The batch with this number: images in [0,1], [n,3,side,side], and labels [n]. */
export function batch(
  seed: number,
  n: number,
  side: number,
  classes: number,
): { images: FloatTensor; labels: Tensor<"int64"> } {
  const { shape, data } = fill(1000 + seed, [n, 3, side, side]);
  const labels = Array.from({ length: n }, (_, i) => (i * 7 + seed) % classes);
  return {
    images: float32(
      shape,
      data.map((value) => (value + 1) / 2),
    ),
    labels: int64(labels),
  };
}

/** The golden values of one file. */
export function golden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`goldens/${name}.json`, import.meta.url), "utf8")) as T;
}
