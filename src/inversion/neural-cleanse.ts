import { z } from "zod";
import { ascending, type ImageSet } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import type { RunContext } from "../runtime/context.ts";
import { type InversionPlan, type Inverted, invertTriggers } from "./invert.ts";
import { smallestPatiently } from "./size-control.ts";
import { additiveFamily, maskedFamily } from "./trigger-family.ts";

/** How Neural Cleanse searches, whatever becomes of what it finds. */
export const CLEANSE_SEARCH = z.strictObject({
  form: z
    .enum(["additive", "masked"])
    .default("additive")
    .describe(
      '"additive" searches T with clamp(x+T) as "Pick your Poison" does, "masked" a mask and a pattern as the original',
    ),
  steps: z
    .int()
    .min(1)
    .default(100)
    .describe("N₁, Adam steps per group of classes; the masked form settles after several hundred"),
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

/**
 * The search of Neural Cleanse (Wang et al. 2019; Lukas & Kerschbaum, Algorithm 6, lines 1 to 7): a trigger for
 * every class, measured by ‖T‖₁ or by the pixels that its mask covers.
 *
 *     additive:  min_T  CE(f(clamp(x+T)), c) + λ_N·‖T‖₁
 *     masked:    min_{m,p}  CE(f((1−m)·x + m·p), c) + λ·‖m‖₁,  λ by a cost schedule
 *
 * @param targets the classes to search; by default all
 */
export function searchByNeuralCleanse(
  context: RunContext,
  suspect: Classifier,
  images: ImageSet,
  options: z.output<typeof CLEANSE_SEARCH>,
  targets: readonly number[] = ascending(suspect.classes),
): Promise<Inverted[]> {
  const stage = "Neural Cleanse";
  return invertTriggers(context, { suspect }, images, targets, planOf(options), stage);
}

function planOf(options: z.output<typeof CLEANSE_SEARCH>): InversionPlan {
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
