import { throwIfCancelled } from "../core/errors.ts";
import type { Random } from "../core/random.ts";
import { type FloatTensor, float32, tensor } from "../core/tensor.ts";
import { type Geometry, imageLength } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import type { RunContext } from "../runtime/context.ts";
import { sgd } from "../train/optimisers.ts";
import { compileStep } from "../train/step.ts";

/** How hard to search. */
export interface MarginPlan {
  readonly steps: number;
  /** Images per class, each from a start of its own. */
  readonly images: number;
  /** How many classes share a step; they do not influence each other. */
  readonly classesPerStep: number;
  readonly learningRate: number;
}

/** How far a class can be put before all others, by any image at all. */
export interface LargestMargin {
  readonly target: number;
  /** max_x z_c(x) − max_{k≠c} z_k(x), in logits. */
  readonly margin: number;
  /** The image [C,H,W] that does it. */
  readonly image: FloatTensor;
}

const MOMENTUM = 0.2;
/** More than logits differ by: the own class is not among the others. */
const FAR = 1e4;

/**
 * For every class the largest margin of its logit over the other classes', by projected gradient ascent on images in
 * [0,1] that start as noise. No image is given, so no kind of trigger is assumed.
 */
export async function searchLargestMargins(
  context: RunContext,
  model: Classifier,
  geometry: Geometry,
  plan: MarginPlan,
  stage: string,
): Promise<LargestMargin[]> {
  const { classes } = model;
  const { images, steps, learningRate } = plan;
  const width = Math.min(plan.classesPerStep, classes);
  const groups = Math.ceil(classes / width);
  const { channels, height, width: columns } = geometry;
  const rows = width * images;
  const shape = [rows, channels, height, columns];
  const network = await model.at(rows);
  const step = await compileStep<"margins">(context.device, {
    parameters: new Map([["x", float32(shape, new Float32Array(rows * imageLength(geometry)))]]),
    optimiser: sgd({ momentum: MOMENTUM }),
    build(b, at) {
      const target = b.input("target", "int64", [rows]);
      const { logits } = model.append(b, network, at("x"), "model/"); // [B,K]
      const own = b.oneHot(target, classes); // [B,K]
      const others = b.maximum(b.sub(logits, b.mul(own, b.scalar(FAR))), [1]); // [B]
      const margins = b.sub(b.sum(b.mul(own, logits), [1]), others); // [B]
      // A sum, so that images do not dilute each other.
      return { loss: b.unary("Neg", b.sum(margins)), metrics: { margins } };
    },
    project: (b, _, updated) => b.clip(updated, 0, 1),
  });
  try {
    const found: LargestMargin[] = [];
    for (let g = 0; g < groups; g++) {
      // A last group that is not full repeats its first class; the repetitions are dropped.
      const targets = Array.from({ length: width }, (_, m) =>
        g * width + m < classes ? g * width + m : g * width,
      );
      const labels = Array.from({ length: rows }, (_, row) => targets[Math.floor(row / images)]!);
      const target = tensor("int64", [rows], BigInt64Array.from(labels, BigInt));
      const x = noise(shape, context.random.fork(`margins/${g}`));
      await step.write(new Map([["x", x]]));
      await step.resetOptimiser();
      let best: LargestMargin[] = [];
      for (let i = 0; i < steps; i++) {
        throwIfCancelled(context.signal);
        const before = i === steps - 1 ? (await step.read()).get("x") : undefined;
        const { metrics } = await step.run({ target }, learningRate, context.signal);
        if (before)
          best = largest(targets, metrics.margins.data as Float32Array, before as FloatTensor);
        const done = g * steps + i + 1;
        context.emit({ kind: "step", stage, done, total: groups * steps });
      }
      found.push(...best.slice(0, Math.min(width, classes - g * width)));
    }
    return found;
  } finally {
    await step.release();
  }
}

function noise(shape: readonly number[], random: Random): FloatTensor {
  const size = shape.reduce((product, extent) => product * extent, 1);
  return float32(
    shape,
    Float32Array.from({ length: size }, () => random.uniform()),
  );
}

/** The best image of every class of a group. @param margins [M·images] @param x [M·images,C,H,W] */
function largest(
  targets: readonly number[],
  margins: Float32Array,
  { shape, data }: FloatTensor,
): LargestMargin[] {
  const [, ...image] = shape;
  const length = data.length / margins.length;
  const each = margins.length / targets.length;
  return targets.map((target, m) => {
    const own = margins.subarray(m * each, (m + 1) * each);
    const row = m * each + own.reduce((at, value, i) => (value > own[at]! ? i : at), 0);
    const picture = data.slice(row * length, (row + 1) * length);
    return { target, margin: margins[row]!, image: float32(image, picture) };
  });
}
