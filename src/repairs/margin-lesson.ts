import { z } from "zod";
import type { Random } from "../core/random.ts";
import { type FloatTensor, float32 } from "../core/tensor.ts";
import { ascending, type Geometry } from "../data/images.ts";
import { searchLargestMargins } from "../inversion/largest-margins.ts";
import { marginOutliers } from "../inversion/margin-outlier.ts";
import type { Classifier } from "../models/classifier.ts";
import type { RunContext } from "../runtime/context.ts";
import type { RepairInput } from "./repair.ts";
import type { Lesson } from "./unlearning.ts";

export const MARGIN_LESSON = z.object({
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

type Options = z.output<typeof MARGIN_LESSON>;

/**
 * The images with the largest margins, as something to unlearn. A backdoor leaves images, found from noise, that put
 * its target far before all other classes (`mm-bd`), and those images are full of whatever the network takes for the
 * trigger, wherever it may lie. So parts of them, cut out in random windows, are pasted over trusted images. The
 * images are searched again at every checkpoint on the model under repair, and join the others.
 * @returns undefined where no class stands out by its margin
 */
export async function marginLesson(
  context: RunContext,
  { model, trusted }: RepairInput,
  options: Options,
): Promise<Lesson | undefined> {
  const classes = ascending(model.classes);
  const found = await largest(context, "start", model, trusted, classes, options);
  const outliers = marginOutliers(found);
  const suspicious = classes.filter((target) => outliers[target]!.p <= options.outlier);
  if (suspicious.length === 0) return undefined;
  const pool = suspicious.flatMap((target) => found[target]!.images);
  return {
    stamp: (images, rows, random) => pasteParts(images, rows, pool, options, random),
    async renew(step, searched) {
      const name = `step/${step}`;
      const again = await largest(context, name, searched, trusted, suspicious, options);
      pool.push(...again.flatMap(({ images }) => images));
    },
  };
}

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

/** The images [B,C,H,W] with a random window of one of the pool's [C,H,W] over some rows. */
function pasteParts(
  { shape, data }: FloatTensor,
  stamped: readonly number[],
  pool: readonly FloatTensor[],
  { least, most }: Options,
  random: Random,
): FloatTensor {
  const [, channels, height, width] = shape as [number, number, number, number];
  const pasted = data.slice();
  for (const row of stamped) {
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
