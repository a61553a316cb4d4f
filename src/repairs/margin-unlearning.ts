import { z } from "zod";
import type { Random } from "../core/random.ts";
import { type FloatTensor, float32 } from "../core/tensor.ts";
import { ascending, type Geometry } from "../data/images.ts";
import { searchLargestMargins } from "../inversion/largest-margins.ts";
import { marginOutliers } from "../inversion/margin-outlier.ts";
import type { Classifier } from "../models/classifier.ts";
import type { RunContext } from "../runtime/context.ts";
import { fineTune } from "./fine-tune.ts";
import type { Checkpoint, Repair } from "./repair.ts";
import { UNLEARNING, unlearning } from "./unlearning.ts";

const STAGE = "margin-unlearning";

const config = z.strictObject({
  ...UNLEARNING.shape,
  marginSteps: z
    .int()
    .min(1)
    .default(60)
    .describe("ascent steps in search of the images with the largest margins"),
  images: z.int().min(1).default(8).describe("such images for every class"),
  outlier: z
    .number()
    .gt(0)
    .max(1)
    .default(0.1)
    .describe("p up to which a class stands out; where none does, the model stays as it is"),
  least: z
    .number()
    .gt(0)
    .max(1)
    .default(0.1)
    .describe("least share of an image that is covered by a part of such an image"),
  most: z.number().gt(0).max(1).default(0.5).describe("largest share that is covered"),
});

type Options = z.output<typeof config>;

/**
 * Margin unlearning: a backdoor leaves images, found from noise, that put its target far before all other classes
 * (`mm-bd`), and those images are full of whatever the network takes for the trigger, wherever it may lie. So parts of
 * them, cut out in random windows, are pasted over trusted images, and the model is taught to answer what the suspect
 * answers without: see `unlearning`. The images are searched again at every checkpoint on the model under repair.
 *
 * No kind of trigger is assumed: patches that are scattered at random places have no overlay that `trigger-unlearning`
 * could find. Where no class stands out by its margin, the model stays as it is.
 */
export const marginUnlearning: Repair<typeof config> = {
  name: STAGE,
  summary: "Teaches the model to ignore parts of the images that it is most sure of.",
  source: {
    paper:
      "MM-BD: Post-Training Detection of Backdoor Attacks with Arbitrary Backdoor Pattern Types",
    authors: "Wang, Xiang, Miller & Kesidis",
    year: 2024,
    section: "3",
    deviations: [
      "The paper's own mitigation bounds activations; ours unlearns what its detector finds, so that the network keeps its form.",
    ],
  },
  config,
  space: {
    learningRate: [0.03, 0.01, 0.003, 0.001],
    anchor: [0, 0.1, 0.3, 1],
    most: [0.3, 0.5, 0.7],
  },
  async *run(context, { model, trusted }, options): AsyncGenerator<Checkpoint> {
    const classes = ascending(model.classes);
    const found = await largest(context, "start", model, trusted, classes, options);
    const outliers = marginOutliers(found);
    const suspicious = classes.filter((target) => outliers[target]!.p <= options.outlier);
    if (suspicious.length === 0) {
      const message =
        "no class stands out by its margin: nothing to unlearn, the model stays as it is";
      context.emit({ kind: "note", stage: STAGE, message });
      yield { step: options.steps, loss: 0, model };
      return;
    }
    const pool = suspicious.flatMap((target) => found[target]!.images);
    const plan = {
      ...unlearning(options),
      stage: STAGE,
      stamp: (images: FloatTensor, random: Random) => pasteParts(images, pool, options, random),
    };
    for await (const checkpoint of fineTune(context, { model, trusted }, plan)) {
      yield checkpoint;
      if (checkpoint.step === options.steps) return;
      const name = `step/${checkpoint.step}`;
      const again = await largest(context, name, checkpoint.model, trusted, suspicious, options);
      pool.push(...again.flatMap(({ images }) => images));
    }
  },
};

function largest(
  context: RunContext,
  name: string,
  model: Classifier,
  geometry: Geometry,
  targets: readonly number[],
  { images, marginSteps }: Options,
) {
  const plan = { images, steps: marginSteps, classesPerStep: 2, learningRate: 0.01 };
  const own = { ...context, random: context.random.fork(`margins/${name}`) };
  return searchLargestMargins(own, model, geometry, targets, plan, "largest margins");
}

/** The images [B,C,H,W] with a random window of one of the pool's [C,H,W] over some of them. */
function pasteParts(
  { shape, data }: FloatTensor,
  pool: readonly FloatTensor[],
  { stamped, least, most }: Options,
  random: Random,
): FloatTensor {
  const [rows, channels, height, width] = shape as [number, number, number, number];
  const pasted = data.slice();
  for (let row = 0; row < Math.round(stamped * rows); row++) {
    const part = pool[random.integer(0, pool.length)]!;
    const window = windowOf(height, width, random.uniform(least, most), random);
    for (let channel = 0; channel < channels; channel++) {
      const plane = channel * height * width;
      for (let y = window.top; y < window.bottom; y++) {
        const [from, to] = [plane + y * width + window.left, plane + y * width + window.right];
        pasted.set(part.data.subarray(from, to), row * channels * height * width + from);
      }
    }
  }
  return float32(shape, pasted);
}

/** A rectangle of about this share of the image, at most twice as long as wide, anywhere. */
function windowOf(height: number, width: number, share: number, random: Random) {
  const stretch = 2 ** random.uniform(-0.5, 0.5);
  const side = (extent: number, factor: number) =>
    Math.min(extent, Math.max(1, Math.round(extent * Math.sqrt(share) * factor)));
  const [tall, wide] = [side(height, stretch), side(width, 1 / stretch)];
  const top = random.integer(0, height - tall + 1);
  const left = random.integer(0, width - wide + 1);
  return { top, bottom: top + tall, left, right: left + wide };
}
