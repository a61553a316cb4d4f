import type { Random } from "../core/random.ts";
import { type FloatTensor, float32, sizeOf, type Tensor } from "../core/tensor.ts";
import type { Geometry } from "../data/images.ts";
import { additive, blend, type Overlay } from "../data/overlay.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { Value } from "../onnx/graph.ts";

type At = (name: string) => Value;

/** Kinds of trigger that can be searched. */
export const FAMILY_NAMES = ["masked", "smooth", "additive"] as const;

export type FamilyName = (typeof FAMILY_NAMES)[number];

/** A kind of trigger that inversion searches through, M triggers side by side. */
export interface TriggerFamily {
  readonly name: FamilyName;
  /** Random start values of the parameters of M triggers. */
  start(count: number, geometry: Geometry, random: Random): Map<string, FloatTensor>;
  /** The images with trigger m on block m: [M,b,C,H,W] in [0,1] → the same shape. */
  apply(b: GraphBuilder, at: At, images: Value): Value;
  /** Size of every trigger, [M]. */
  size(b: GraphBuilder, at: At): Value;
  /** The size of one trigger, measured in the same way. */
  sizeOf(overlay: Overlay): number;
  /** Maps a parameter back into the allowed set after an update. */
  project?(b: GraphBuilder, name: string, updated: Value): Value;
  /** The m-th trigger, for images of that size. */
  overlay(values: ReadonlyMap<string, Tensor>, m: number, geometry: Geometry): Overlay;
}

/**
 * T of image shape added to the image: x ⊕ T = clamp(x + T, 0, 1), T ~ U(0, 0.01) at the start
 * (Algorithms 4 and 6).
 * @param options `measure`: its size is ‖T‖₂ (default) or ‖T‖₁; `budget`: largest ‖T‖₂, if there is one
 */
export function additiveFamily({ budget, measure = "l2" }: AdditiveOptions = {}): TriggerFamily {
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
    overlay: (values, m) => additive(slice(values.get("trigger")!, m)),
  };
}

export interface AdditiveOptions {
  readonly budget?: number | undefined;
  readonly measure?: "l2" | "l1";
}

/** ‖T‖₂ of what a trigger adds. */
const addedLength = ({ add }: Overlay): number => Math.sqrt(sumOf(add, (value) => value * value));

function sumOf({ data }: FloatTensor, term: (value: number) => number): number {
  return data.reduce((total, value) => total + term(value), 0);
}

/** Lowest spatial frequencies of a smooth trigger, along each side. */
const FREQUENCIES = 8;

/**
 * An additive trigger of low spatial frequencies: T = D_hᵀ·F·D_w per channel, D the first rows of the
 * orthonormal DCT-II, so ‖T‖₂ = ‖F‖₂. Any network is moved by a faint pattern of high frequencies; smooth
 * patterns of that size move it only if it was taught one.
 */
export function smoothFamily(): TriggerFamily {
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
      const rows = b.transpose(b.constant(cosines(h, height)), [1, 0]); // [H,h]
      const columns = b.constant(cosines(w, width)); // [w,W]
      return addAndClamp(b, images, b.matmul(b.matmul(rows, frequencies), columns));
    },
    size: (b, at) => norm(b, at("frequencies")),
    sizeOf: addedLength,
    overlay(values, m, { height, width }) {
      const frequencies = slice(values.get("frequencies")!, m); // [C,h,w]
      return additive(inverseDct(frequencies, height, width));
    },
  };
}

/** The first rows of the orthonormal DCT-II of length n: √(2/n)·cos(π(x+½)i/n), the first 1/√n. [count,n] */
function cosines(count: number, n: number): FloatTensor {
  const entry = (i: number, x: number) =>
    Math.sqrt((i === 0 ? 1 : 2) / n) * Math.cos((Math.PI * (x + 0.5) * i) / n);
  const data = Float32Array.from({ length: count * n }, (_, at) =>
    entry(Math.floor(at / n), at % n),
  );
  return float32([count, n], data);
}

/** D_hᵀ·F·D_w of every channel: [C,h,w] → [C,H,W]. */
function inverseDct(frequencies: FloatTensor, height: number, width: number): FloatTensor {
  const [channels, h, w] = frequencies.shape as [number, number, number];
  const [down, across] = [cosines(h, height).data, cosines(w, width).data];
  const image = new Float32Array(channels * height * width);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < h; i++) {
      for (let y = 0; y < height; y++) {
        for (let j = 0; j < w; j++) {
          const amount = frequencies.data[(c * h + i) * w + j]! * down[i * height + y]!;
          const row = (c * height + y) * width;
          for (let x = 0; x < width; x++) image[row + x]! += amount * across[j * width + x]!;
        }
      }
    }
  }
  return float32([channels, height, width], image);
}

/** clamp(x + T, 0, 1). @param images [M,b,C,H,W] @param triggers [M,C,H,W] */
function addAndClamp(b: GraphBuilder, images: Value, triggers: Value): Value {
  const [count, ...image] = triggers.shape as [number, ...number[]];
  return b.clip(b.add(images, b.reshape(triggers, [count, 1, ...image])), 0, 1);
}

/** ‖T_m‖₂ of every trigger, [M] or [M,1,1,1]; the constant keeps its slope finite at zero. */
function norm(b: GraphBuilder, triggers: Value, keepDims = false): Value {
  const squares = b.sumSquares(triggers, [1, 2, 3], keepDims);
  return b.unary("Sqrt", b.add(squares, b.scalar(1e-12)));
}

/**
 * A mask and a pattern, both through a sigmoid: x ⊕ T = (1 − σ(a))·x + σ(a)·σ(p), as Neural Cleanse
 * (Wang et al. 2019). Its size is the sum of the mask: the number of pixels it covers.
 * @param options `opacity`: of the mask at the start, about, in (0,1); default σ(−2) = 0.12
 */
export function maskedFamily({ opacity }: MaskedOptions = {}): TriggerFamily {
  const start = opacity === undefined ? -2 : Math.log(opacity / (1 - opacity));
  return {
    name: "masked",
    start(count, { channels, height, width }, random) {
      const normal = (shape: readonly number[], mean: number) =>
        float32(
          shape,
          Float32Array.from({ length: sizeOf(shape) }, () => random.normal(mean, 0.5)),
        );
      return new Map([
        ["mask", normal([count, 1, height, width], start)],
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
    sizeOf: ({ keep }) => sumOf(keep, (kept) => 1 - kept),
    overlay(values, m) {
      const mask = slice(values.get("mask")!, m); // [1,H,W]
      const pattern = slice(values.get("pattern")!, m); // [C,H,W]
      return blend(sigmoid(pattern, pattern.shape), sigmoid(mask, mask.shape.slice(1)));
    },
  };
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
function slice(values: Tensor, m: number): FloatTensor {
  const shape = values.shape.slice(1);
  const length = sizeOf(shape);
  return float32(shape, (values.data as Float32Array).slice(m * length, (m + 1) * length));
}
