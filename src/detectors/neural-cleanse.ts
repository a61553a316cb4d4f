import { mean, median, medianAbsoluteDeviation, sampleStandardDeviation } from "simple-statistics";
import { z } from "zod";
import { ascending } from "../data/images.ts";
import { type InversionPlan, invertTriggers } from "../inversion/invert.ts";
import { smallestPatiently } from "../inversion/size-control.ts";
import { additiveFamily, maskedFamily } from "../inversion/trigger-family.ts";
import { type Detector, detection } from "./detector.ts";
import { measureTriggers } from "./measure.ts";

const config = z.strictObject({
  form: z
    .enum(["additive", "masked"])
    .default("additive")
    .describe(
      '"additive" searches T with clamp(x+T) as "Pick your Poison" does, "masked" a mask and a pattern as the original',
    ),
  score: z
    .enum(["anomaly-index", "normal-test"])
    .default("anomaly-index")
    .describe(
      "how the size of a class's trigger becomes its score: deviations from the median class, or from the mean class",
    ),
  steps: z
    .int()
    .min(1)
    .default(100)
    .describe("Adam steps per group of classes; the masked form settles after several hundred"),
  images: z.int().min(1).default(32).describe("trusted images per class and step"),
  classesPerStep: z.int().min(1).default(2).describe("classes that share a step"),
  learningRate: z
    .number()
    .positive()
    .nullable()
    .default(null)
    .describe("learning rate of Adam (β 0.5, 0.9); null for 0.01 additive, 0.1 masked"),
  normWeight: z.number().min(0).default(0.02).describe("λ_N, weight of ‖T‖₁; additive form only"),
  success: z
    .number()
    .gt(0)
    .max(1)
    .default(0.99)
    .describe("success from which the mask is pressed and kept; masked form only"),
});

type Options = z.output<typeof config>;

/**
 * Neural Cleanse: for every class a trigger is searched, and a class is suspicious whose trigger is small beside
 * those of the others.
 *
 *     additive (Algorithm 6):  min_T  CE(f(clamp(x+T)), c) + λ_N·‖T‖₁
 *     masked (the original):   min_{m,p}  CE(f((1−m)·x + m·p), c) + λ·‖m‖₁,  λ by a cost schedule
 *
 * With s_c the size ‖T‖₁ or ‖m‖₁,
 *
 *     anomaly index  (median(s) − s_c) / (1.4826·MAD(s))
 *     normal test    (mean(s) − s_c) / sd(s)
 *
 * positive for triggers smaller than usual: large ones are no sign of a backdoor.
 */
export const neuralCleanse: Detector<typeof config> = {
  name: "neural-cleanse",
  summary: "Compares the classes by the size of a trigger that is searched for each.",
  source: {
    paper: "Neural Cleanse: Identifying and Mitigating Backdoor Attacks in Neural Networks",
    authors: "Wang et al.",
    year: 2019,
    section: "IV; Pick your Poison, Algorithm 6",
    deviations: [
      "Algorithm 6 prints the cross-entropy alone; λ_N is in its Table V.",
      "Images of class c are left out of its search.",
      "The search of a masked trigger ends after its steps, not when the mask no longer shrinks.",
      "The released code of Pick your Poison keeps the last class's trigger alone; here every class has its own.",
    ],
  },
  config,
  async run(context, input, options) {
    const { model, search: images } = input;
    const targets = ascending(model.classes);
    const plan = planOf(options);
    const found = await invertTriggers(
      context,
      { suspect: model },
      images,
      targets,
      plan,
      "Neural Cleanse",
    );
    const measured = await measureTriggers(context, input, found);
    const scores = SCORES[options.score](found.map(({ size }) => size));
    return detection(
      options.score,
      measured.map(({ target, reached, overlay, size, success, kept }, index) => {
        // A mask that never worked says nothing about how small one can be.
        const score = reached ? scores[index]! : 0;
        return { target, score, found: reached, trigger: overlay, size, success, kept };
      }),
    );
  },
};

function planOf(options: Options): InversionPlan {
  const { form, steps, images, classesPerStep, learningRate, normWeight, success } = options;
  const common = { steps, images, classesPerStep, suspectWeight: 1, repairedWeight: 0 };
  return form === "additive"
    ? {
        ...common,
        family: additiveFamily({ measure: "l1" }),
        learningRate: learningRate ?? 0.01,
        penalty: normWeight,
      }
    : {
        ...common,
        family: maskedFamily(),
        learningRate: learningRate ?? 0.1,
        control: smallestPatiently(success),
      };
}

/** Scores of all classes from the sizes of their triggers; 0 for all where the sizes do not differ. */
const SCORES: Readonly<Record<Options["score"], (sizes: readonly number[]) => number[]>> = {
  // 1.4826·MAD estimates the standard deviation of a normal distribution.
  "anomaly-index": (sizes) =>
    deviations(sizes, median(sizes), 1.4826 * medianAbsoluteDeviation(sizes)),
  "normal-test": (sizes) => deviations(sizes, mean(sizes), sampleStandardDeviation(sizes)),
};

function deviations(sizes: readonly number[], centre: number, spread: number): number[] {
  return sizes.map((size) => (spread === 0 ? 0 : (centre - size) / spread));
}
