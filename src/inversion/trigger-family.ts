import type { Random } from "../core/random.ts";
import { type FloatTensor, float32, sizeOf, type Tensor } from "../core/tensor.ts";
import type { Geometry } from "../data/images.ts";
import { additive, blend, type Overlay } from "../data/overlay.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { Value } from "../onnx/graph.ts";

type At = (name: string) => Value;

/** A kind of trigger that inversion searches through, M triggers side by side. */
export interface TriggerFamily {
  readonly name: "additive" | "masked";
  /** Random start values of the parameters of M triggers. */
  start(count: number, geometry: Geometry, random: Random): Map<string, FloatTensor>;
  /** The images with trigger m on block m: [M,b,C,H,W] in [0,1] → the same shape. */
  apply(b: GraphBuilder, at: At, images: Value): Value;
  /** Size of every trigger, [M]. */
  size(b: GraphBuilder, at: At): Value;
  /** Maps a parameter back into the allowed set after an update. */
  project?(b: GraphBuilder, name: string, updated: Value): Value;
  /** The m-th trigger. */
  overlay(values: ReadonlyMap<string, Tensor>, m: number): Overlay;
}

/**
 * T of image shape added to the image: x ⊕ T = clamp(x + T, 0, 1), T ~ U(0, 0.01) at the start
 * (Algorithms 4 and 6). Its size is ‖T‖₂, kept at most at `budget` if one is given.
 */
export function additiveFamily(budget?: number): TriggerFamily {
  const perTrigger = [1, 2, 3];
  return {
    name: "additive",
    start(count, { channels, height, width }, random) {
      const shape = [count, channels, height, width];
      const values = Float32Array.from({ length: sizeOf(shape) }, () => random.uniform(0, 0.01));
      return new Map([["trigger", float32(shape, values)]]);
    },
    apply(b, at, images) {
      const trigger = at("trigger"); // [M,C,H,W]
      const [count, ...image] = trigger.shape as [number, ...number[]];
      return b.clip(b.add(images, b.reshape(trigger, [count, 1, ...image])), 0, 1);
    },
    size: (b, at) =>
      b.unary("Sqrt", b.add(b.sumSquares(at("trigger"), perTrigger), b.scalar(1e-12))),
    project(b, _, updated) {
      if (budget === undefined) return updated;
      // T · min(1, budget / ‖T‖₂)
      const norm = b.unary("Sqrt", b.add(b.sumSquares(updated, perTrigger, true), b.scalar(1e-12)));
      return b.mul(updated, b.min(b.scalar(1), b.div(b.scalar(budget), norm)));
    },
    overlay: (values, m) => additive(slice(values.get("trigger")!, m)),
  };
}

/**
 * A mask and a pattern, both through a sigmoid: x ⊕ T = (1 − σ(a))·x + σ(a)·σ(p), as Neural Cleanse
 * (Wang et al. 2019). Its size is the sum of the mask: the number of pixels it covers.
 */
export function maskedFamily(): TriggerFamily {
  return {
    name: "masked",
    start(count, { channels, height, width }, random) {
      const normal = (shape: readonly number[], mean: number) =>
        float32(
          shape,
          Float32Array.from({ length: sizeOf(shape) }, () => random.normal(mean, 0.5)),
        );
      return new Map([
        ["mask", normal([count, 1, height, width], -2)], // σ(−2) = 0.12
        ["pattern", normal([count, channels, height, width], 0)],
      ]);
    },
    apply(b, at, images) {
      const block = (value: Value) =>
        b.reshape(value, [value.shape[0]!, 1, ...value.shape.slice(1)]);
      const mask = block(b.unary("Sigmoid", at("mask"))); // [M,1,1,H,W]
      const pattern = block(b.unary("Sigmoid", at("pattern"))); // [M,1,C,H,W]
      // (1−m)·x + m·p = x + m·(p − x)
      return b.add(images, b.mul(mask, b.sub(pattern, images)));
    },
    size: (b, at) => b.sum(b.unary("Sigmoid", at("mask")), [1, 2, 3]),
    overlay(values, m) {
      const mask = slice(values.get("mask")!, m); // [1,H,W]
      const pattern = slice(values.get("pattern")!, m); // [C,H,W]
      return blend(sigmoid(pattern, pattern.shape), sigmoid(mask, mask.shape.slice(1)));
    },
  };
}

function sigmoid(values: FloatTensor, shape: readonly number[]): FloatTensor {
  return float32(
    shape,
    values.data.map((v) => 1 / (1 + Math.exp(-v))),
  );
}

/** Entry m of a tensor [M,…]. */
function slice(values: Tensor, m: number): FloatTensor {
  const shape = values.shape.slice(1);
  const length = sizeOf(shape);
  return float32(shape, (values.data as Float32Array).slice(m * length, (m + 1) * length));
}
