import { z } from "zod";
import { float32 } from "../core/tensor.ts";
import { blend } from "../data/overlay.ts";
import { targetsAmong } from "../inversion/examined.ts";
import type { Inverted } from "../inversion/invert.ts";
import { type LargestMargin, searchLargestMargins } from "../inversion/largest-margins.ts";
import { MM_BD, marginOutliers } from "../inversion/margin-outlier.ts";
import { type Detector, detection } from "./detector.ts";
import { measureTriggers } from "./measure.ts";

const config = z.strictObject({
  steps: z.int().min(1).default(300).describe("ascent steps per group of classes"),
  images: z.int().min(1).default(30).describe("images per class, each from noise of its own"),
  classesPerStep: z.int().min(1).default(2).describe("classes that share a step"),
  learningRate: z.number().positive().default(0.01).describe("learning rate of the ascent"),
  opacity: z
    .number()
    .gt(0)
    .max(1)
    .default(0.3)
    .describe("how strongly the found image is shown over others, for the evidence alone"),
});

/**
 * MM-BD: a backdoor makes the network so sure of its target that some image puts that class much further before the
 * others than any image does for another class. With r_c = max_x z_c(x) − max_{k≠c} z_k(x) over all images x, the other
 * classes' r are taken as a normal sample of n = K − 1, and
 *
 *     score_c = −log₁₀ min(1, K·P(T_{n−1} > (r_c − mean)/(s·√(1 + 1/n))))
 *
 * After a screening the others are the controls, and K stays the number of all classes.
 * No trigger is searched and no image needed, so triggers that nothing fixed imitates count as well.
 * The image found for a class, laid over held-out ones, is shown as evidence; it is not the trigger.
 */
export const mmBd: Detector<typeof config> = {
  name: "mm-bd",
  summary: "Compares the classes by how far any image at all can put them before the others.",
  source: {
    ...MM_BD,
    deviations: [
      "The null is a normal distribution of r with its sampling error, not a gamma distribution: nine values do not tell the two apart.",
      "Every class is compared with all others; the paper leaves out the largest alone.",
    ],
  },
  config,
  needsRepair: false,
  kinds: () => [],
  async run(context, input, options) {
    const { model, search, examined } = input;
    const targets = targetsAmong(model.classes, examined);
    const found = await searchLargestMargins(
      context,
      model,
      search,
      targets,
      options,
      "largest margins",
    );
    const outliers = marginOutliers(found, model.classes, examined);
    const triggers = found.map((one) => shown(one, options.opacity));
    const measured = await measureTriggers(context, input, triggers);
    const peers = found.map(({ margin }) => margin);
    return detection(
      "margin-outlier",
      measured.map(({ target, trigger, success, kept }, index) => {
        const { p } = outliers[index]!;
        const size = peers[index]!;
        // Rounding lets no tail below 10⁻¹⁶ be told from zero.
        const score = p === 1 ? 0 : -Math.log10(Math.max(p, 1e-16));
        const seen = { trigger, illustration: true as const, size, success, kept };
        return { target, score, found: size > 0, ...seen, peers };
      }),
    );
  },
};

/** A found image as something to lay over others. */
function shown({ target, images, margin }: LargestMargin, opacity: number): Inverted {
  const image = images[0]!;
  const [, height, width] = image.shape as [number, number, number];
  const even = float32([height, width], new Float32Array(height * width).fill(opacity));
  return { target, family: "masked", trigger: blend(image, even), size: margin, reached: true };
}
