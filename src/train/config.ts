import { z } from "zod";
import { adam, type Optimiser, sgd } from "./optimisers.ts";
import { SCHEDULES } from "./schedules.ts";

/**
 * How a classifier is trained. The defaults are a recipe for machines without a GPU: CIFAR-10 to about
 * 88 % in eight epochs.
 */
export const TRAINING = z.strictObject({
  epochs: z.int().min(1).default(8).describe("passes over the training images"),
  batch: z.int().min(2).default(128).describe("images per step"),
  optimiser: z.enum(["sgd", "adam"]).default("sgd").describe("rule that updates the weights"),
  learningRate: z.number().gt(0).default(0.2).describe("highest learning rate"),
  schedule: z
    .enum(Object.keys(SCHEDULES) as [keyof typeof SCHEDULES])
    .default("one-cycle")
    .describe("course of the learning rate over all steps"),
  momentum: z.number().min(0).lt(1).default(0.9).describe("momentum of sgd"),
  nesterov: z.boolean().default(true).describe("whether the momentum of sgd is Nesterov's"),
  weightDecay: z.number().min(0).default(5e-4).describe("factor of the L2 penalty on all weights"),
  labelSmoothing: z
    .number()
    .min(0)
    .lt(1)
    .default(0.05)
    .describe("probability that is spread over all classes in the labels"),
  padding: z
    .int()
    .min(0)
    .optional()
    .describe("pixels by which random crops reach beyond the image (default: 4 per 32 of width)"),
  flip: z.boolean().default(true).describe("whether half of the images are mirrored at random"),
});

export type TrainingConfig = z.output<typeof TRAINING>;

/** Where none is stated. The rate for a new network would undo one that is trained already. */
const LEARNING_RATES = { new: TRAINING.parse({}).learningRate, trained: 0.001 };

/** The same as somebody states it, who may leave the learning rate to what training begins with. */
export const RECIPE = TRAINING.extend({
  learningRate: TRAINING.shape.learningRate
    .unwrap()
    .optional()
    .describe(
      `highest learning rate (default: ${LEARNING_RATES.new}, or ${LEARNING_RATES.trained} for a network that is trained already)`,
    ),
});

/** A recipe with its learning rate, for a new network or for one that is trained already. */
export function recipeFor(
  begin: keyof typeof LEARNING_RATES,
  recipe: z.output<typeof RECIPE>,
): TrainingConfig {
  const { learningRate = LEARNING_RATES[begin] } = recipe;
  return { ...recipe, learningRate };
}

/** The rule that a configuration asks for. */
export function optimiserOf(config: TrainingConfig): Optimiser {
  const { momentum, nesterov, weightDecay } = config;
  return config.optimiser === "sgd"
    ? sgd({ momentum, nesterov, weightDecay })
    : adam({ weightDecay });
}
