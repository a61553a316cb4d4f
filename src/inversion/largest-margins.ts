import { throwIfCancelled } from "../core/errors.ts";
import type { Random } from "../core/random.ts";
import { type FloatTensor, float32, int64, sizeOf, toNumbers, zeros } from "../core/tensor.ts";
import type { Geometry } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import { partsOf } from "../models/memory.ts";
import type { RunContext } from "../runtime/context.ts";
import { sgd } from "../train/optimisers.ts";
import { inParts } from "../train/parts.ts";
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
  /** Images [C,H,W], that which does it first. */
  readonly images: readonly FloatTensor[];
}

const MOMENTUM = 0.2;
/** More than logits differ by: the own class is not among the others. */
const FAR = 1e4;

/**
 * For every class in `targets` the largest margin of its logit over the other classes', by projected gradient ascent on images in
 * [0,1] that start as noise. No image is given, so no kind of trigger is assumed. Images that would take more than the
 * budget of memory together are moved one part after the other, which changes nothing else: none depends on another.
 */
export async function searchLargestMargins(
  context: RunContext,
  model: Classifier,
  geometry: Geometry,
  targets: readonly number[],
  plan: MarginPlan,
  stage: string,
): Promise<LargestMargin[]> {
  const { images, steps, learningRate } = plan;
  const width = Math.min(plan.classesPerStep, targets.length);
  const groups = Math.ceil(targets.length / width);
  const { channels, height, width: columns } = geometry;
  // However little memory there is, the same classes form a group and draw the same noise.
  const parts = await partsOf([model], width * images, context.memory);
  const rows = (width * images) / parts;
  const image = [channels, height, columns];
  const network = await model.at(rows);
  const step = await compileStep<"margins">(context.device, {
    parameters: new Map([["x", zeros([rows, ...image])]]),
    optimiser: sgd({ momentum: MOMENTUM }),
    build(b, at) {
      const target = b.input("target", "int64", [rows]);
      const { logits } = model.append(b, network, at("x"), "model/"); // [B,K]
      const own = b.oneHot(target, model.classes); // [B,K]
      const others = b.maximum(b.sub(logits, b.mul(own, b.scalar(FAR))), [1]); // [B]
      const margins = b.sub(b.sum(b.mul(own, logits), [1]), others); // [B]
      // A sum, so that images do not dilute each other.
      return { loss: b.unary("Neg", b.sum(margins)), metrics: { margins } };
    },
    project: (b, _, updated) => b.clip(updated, 0, 1),
  });
  try {
    const found: LargestMargin[] = [];
    let done = 0;
    for (let g = 0; g < groups; g++) {
      // A last group that is not full repeats its first class; the repetitions are dropped.
      const group = targets.slice(g * width, (g + 1) * width);
      const padded = Array.from({ length: width }, (_, m) => group[m] ?? group[0]!);
      const target = int64(padded.flatMap((of) => Array<number>(images).fill(of))); // [M·images]
      const random = context.random.fork(`margins/${group.join(",")}`);
      const x = noise([width * images, ...image], random); // [M·images,C,H,W]
      const margins: number[] = [];
      for (const [part, feeds] of inParts({ x, target }, parts).entries()) {
        await step.write(new Map([["x", feeds["x"]!]]));
        await step.resetOptimiser();
        for (let i = 0; i < steps; i++) {
          throwIfCancelled(context.signal);
          const before = i === steps - 1 ? (await step.read()).get("x") : undefined;
          const { metrics } = await step.run(
            { target: feeds["target"]! },
            learningRate,
            context.signal,
          );
          if (before) {
            margins.push(...toNumbers(metrics.margins));
            x.data.set((before as FloatTensor).data, part * sizeOf(before.shape));
          }
          context.emit({ kind: "step", stage, done: ++done, total: groups * parts * steps });
        }
      }
      found.push(...largest(padded, margins, x).slice(0, group.length));
    }
    return found;
  } finally {
    await step.release();
  }
}

function noise(shape: readonly number[], random: Random): FloatTensor {
  return float32(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => random.uniform()),
  );
}

/** The images of every class of a group, by margin. @param margins [M·images] @param x [M·images,C,H,W] */
function largest(
  targets: readonly number[],
  margins: readonly number[],
  { shape, data }: FloatTensor,
): LargestMargin[] {
  const [, ...image] = shape;
  const length = data.length / margins.length;
  const each = margins.length / targets.length;
  return targets.map((target, m) => {
    const rows = Array.from({ length: each }, (_, i) => m * each + i);
    rows.sort((a, b) => margins[b]! - margins[a]! || a - b);
    const images = rows.map((row) => float32(image, data.slice(row * length, (row + 1) * length)));
    return { target, margin: margins[rows[0]!]!, images };
  });
}
