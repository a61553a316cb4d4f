import type { Random } from "../core/random.ts";
import { type FloatTensor, float32, sizeOf, type Tensor } from "../core/tensor.ts";
import type { FixedTrigger } from "../data/fixed-trigger.ts";
import type { Geometry } from "../data/images.ts";
import { additive, blend, type Overlay } from "../data/overlay.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { Value } from "../onnx/graph.ts";
import { cosines, expand, expanded, runs } from "./basis.ts";

type At = (name: string) => Value;

/** Kinds of trigger that can be searched. */
export const FAMILY_NAMES = ["masked", "smooth", "additive", "warped"] as const;

export type FamilyName = (typeof FAMILY_NAMES)[number];

/** A kind of trigger that inversion searches through, M triggers side by side. */
export interface TriggerFamily<T extends FixedTrigger = FixedTrigger> {
  readonly name: FamilyName;
  /** Random start values of the parameters of M triggers. */
  start(count: number, geometry: Geometry, random: Random): Map<string, FloatTensor>;
  /** The images with trigger m on block m: [M,b,C,H,W] in [0,1] → the same shape. */
  apply(b: GraphBuilder, at: At, images: Value): Value;
  /** Size of every trigger, [M]. */
  size(b: GraphBuilder, at: At): Value;
  /** The size of one trigger, measured in the same way. */
  sizeOf(trigger: T): number;
  /** Maps a parameter back into the allowed set after an update. */
  project?(b: GraphBuilder, name: string, updated: Value): Value;
  /** The m-th trigger, for images of that size. */
  trigger(values: ReadonlyMap<string, Tensor>, m: number, geometry: Geometry): T;
}

/**
 * T of image shape added to the image: x ⊕ T = clamp(x + T, 0, 1), T ~ U(0, 0.01) at the start
 * (Algorithms 4 and 6).
 * @param options `measure`: its size is ‖T‖₂ (default) or ‖T‖₁; `budget`: largest ‖T‖₂, if there is one
 */
export function additiveFamily({
  budget,
  measure = "l2",
}: AdditiveOptions = {}): TriggerFamily<Overlay> {
  return {
    name: "additive",
    start(count, { channels, height, width }, random) {
      const shape = [count, channels, height, width];
      const values = Float32Array.from({ length: sizeOf(shape) }, () => random.uniform(0, 0.01));
      return new Map([["trigger", float32(shape, values)]]);
    },
    apply: (b, at, images) => addAndClamp(b, images, at("trigger")),
    size: (b, at) =>
      measure === "l2" ? norm(b, at("trigger")) : b.sum(b.unary("Abs", at("trigger")), [1, 2, 3]),
    sizeOf: measure === "l2" ? addedLength : ({ add }) => sumOf(add, Math.abs),
    project(b, _, updated) {
      if (budget === undefined) return updated;
      // T · min(1, budget / ‖T‖₂)
      const size = norm(b, updated, true);
      return b.mul(updated, b.min(b.scalar(1), b.div(b.scalar(budget), size)));
    },
    trigger: (values, m) => additive(slice(values.get("trigger")!, m)),
  };
}

export interface AdditiveOptions {
  readonly budget?: number | undefined;
  readonly measure?: "l2" | "l1";
}

/** ‖T‖₂ of what a trigger adds. */
const addedLength = ({ add }: Overlay): number => Math.sqrt(sumOf(add, (value) => value * value));

export function sumOf({ data }: FloatTensor, term: (value: number) => number): number {
  return data.reduce((total, value) => total + term(value), 0);
}

/** Lowest spatial frequencies of a smooth trigger, along each side. */
const FREQUENCIES = 8;

/**
 * An additive trigger of low spatial frequencies: T = D_hᵀ·F·D_w per channel, D the first rows of the
 * orthonormal DCT-II, so ‖T‖₂ = ‖F‖₂. Any network is moved by a faint pattern of high frequencies; smooth
 * patterns of that size move it only if it was taught one.
 */
export function smoothFamily(): TriggerFamily<Overlay> {
  return {
    name: "smooth",
    start(count, { channels, height, width }, random) {
      const shape = [count, channels, Math.min(FREQUENCIES, height), Math.min(FREQUENCIES, width)];
      const values = Float32Array.from({ length: sizeOf(shape) }, () => random.normal(0, 0.05));
      return new Map([["frequencies", float32(shape, values)]]);
    },
    apply(b, at, images) {
      const frequencies = at("frequencies"); // [M,C,h,w]
      const [, , h, w] = frequencies.shape as [number, number, number, number];
      const [height, width] = images.shape.slice(-2) as [number, number];
      const waves = expand(b, frequencies, cosines(h, height), cosines(w, width));
      return addAndClamp(b, images, waves);
    },
    size: (b, at) => norm(b, at("frequencies")),
    sizeOf: addedLength,
    trigger(values, m, { height, width }) {
      const frequencies = slice(values.get("frequencies")!, m); // [C,h,w]
      const [, h, w] = frequencies.shape as [number, number, number];
      return additive(expanded(frequencies, cosines(h, height), cosines(w, width)));
    },
  };
}

/** clamp(x + T, 0, 1). @param images [M,b,C,H,W] @param triggers [M,C,H,W] */
function addAndClamp(b: GraphBuilder, images: Value, triggers: Value): Value {
  const [count, ...image] = triggers.shape as [number, ...number[]];
  return b.clip(b.add(images, b.reshape(triggers, [count, 1, ...image])), 0, 1);
}

/** ‖T_m‖₂ of every trigger, [M] or [M,1,1,1]; the constant keeps its slope finite at zero. */
export function norm(b: GraphBuilder, triggers: Value, keepDims = false): Value {
  const squares = b.sumSquares(triggers, [1, 2, 3], keepDims);
  return b.unary("Sqrt", b.add(squares, b.scalar(1e-12)));
}

/** Cells of a mask along the shorter side of a large image, about: 24 to 47, since each has whole pixels. */
const CELLS = 32;

/**
 * Side of the squares in which a mask is all of one value. With one value for every pixel of a large image, most of
 * them hardly matter to the loss by themselves, and what a search ends with depends on where it began.
 */
export function maskCell({ height, width }: Pick<Geometry, "height" | "width">): number {
  return Math.max(1, Math.round(Math.min(height, width) / CELLS));
}

/**
 * A mask and a pattern, both through a sigmoid: x ⊕ T = (1 − σ(a))·x + σ(a)·σ(p), as Neural Cleanse
 * (Wang et al. 2019), whose released code has masks of squares for large images, too (`maskCell`). Its size is the sum of
 * the mask: the number of pixels it covers.
 * @param options `opacity`: of the mask at the start, about, in (0,1); default σ(−2) = 0.12
 */
export function maskedFamily({ opacity }: MaskedOptions = {}): TriggerFamily<Overlay> {
  const start = opacity === undefined ? -2 : Math.log(opacity / (1 - opacity));
  const sides = (geometry: Pick<Geometry, "height" | "width">) => {
    const cell = maskCell(geometry);
    return [runs(cell, geometry.height), runs(cell, geometry.width)] as const;
  };
  return {
    name: "masked",
    start(count, { channels, height, width }, random) {
      const normal = (shape: readonly number[], mean: number) =>
        float32(
          shape,
          Float32Array.from({ length: sizeOf(shape) }, () => random.normal(mean, 0.5)),
        );
      const cells = [height, width].map((side) => Math.ceil(side / maskCell({ height, width })));
      return new Map([
        ["mask", normal([count, 1, ...cells], start)],
        ["pattern", normal([count, channels, height, width], 0)],
      ]);
    },
    apply(b, at, images) {
      const block = (value: Value) =>
        b.reshape(value, [value.shape[0]!, 1, ...value.shape.slice(1)]);
      const mask = block(fullMask(b, at, at("pattern").shape)); // [M,1,1,H,W]
      const pattern = block(b.unary("Sigmoid", at("pattern"))); // [M,1,C,H,W]
      // (1−m)·x + m·p = x + m·(p − x)
      return b.add(images, b.mul(mask, b.sub(pattern, images)));
    },
    size: (b, at) => b.sum(fullMask(b, at, at("pattern").shape), [1, 2, 3]),
    sizeOf: ({ keep }) => sumOf(keep, (kept) => 1 - kept),
    trigger(values, m, geometry) {
      const mask = slice(values.get("mask")!, m); // [1,h,w]
      const pattern = slice(values.get("pattern")!, m); // [C,H,W]
      const full = expanded(sigmoid(mask, mask.shape), ...sides(geometry));
      return blend(sigmoid(pattern, pattern.shape), float32(full.shape.slice(1), full.data));
    },
  };

  /** σ(a) pixel by pixel, [M,1,H,W]. */
  function fullMask(b: GraphBuilder, at: At, image: Value["shape"]): Value {
    const [height, width] = image.slice(-2) as [number, number];
    const mask = b.unary("Sigmoid", at("mask")); // [M,1,h,w]
    return maskCell({ height, width }) === 1 ? mask : expand(b, mask, ...sides({ height, width }));
  }
}

export interface MaskedOptions {
  readonly opacity?: number | undefined;
}

function sigmoid(values: FloatTensor, shape: readonly number[]): FloatTensor {
  return float32(
    shape,
    values.data.map((v) => 1 / (1 + Math.exp(-v))),
  );
}

/** Entry m of a tensor [M,…]. */
export function slice(values: Tensor, m: number): FloatTensor {
  const shape = values.shape.slice(1);
  const length = sizeOf(shape);
  return float32(shape, (values.data as Float32Array).slice(m * length, (m + 1) * length));
}
