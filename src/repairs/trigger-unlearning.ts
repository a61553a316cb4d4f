import { z } from "zod";
import type { Random } from "../core/random.ts";
import type { FloatTensor } from "../core/tensor.ts";
import { stampOverlay } from "../data/overlay.ts";
import { type SuspectedTrigger, searchSmallestTriggers, suspected } from "../inversion/smallest.ts";
import { crossEntropy, distillation } from "../train/losses.ts";
import { sgd } from "../train/optimisers.ts";
import { cosine } from "../train/schedules.ts";
import { fineTune } from "./fine-tune.ts";
import { tuningFields } from "./options.ts";
import type { Checkpoint, Repair } from "./repair.ts";

const config = z.strictObject({
  ...tuningFields({ steps: 100, learningRate: 0.005, checkpointEvery: 25 }),
  stamped: z
    .number()
    .gt(0)
    .max(1)
    .default(0.3)
    .describe("Share of every batch that carries a trigger."),
  focus: z
    .number()
    .min(0)
    .default(2)
    .describe("A trigger is drawn with probability ∝ suspicion^focus; 0 draws all alike."),
  taskWeight: z
    .number()
    .min(0)
    .default(0.2)
    .describe("Weight of the cross-entropy with the labels."),
  distillation: z
    .number()
    .min(0)
    .default(2)
    .describe("Weight of the distillation from what the suspect says without the trigger."),
  temperature: z.number().positive().default(2).describe("Temperature of the distillation."),
});

/**
 * Trigger unlearning: the smallest triggers of every class are searched, and the model is taught to
 * answer with a trigger what the suspect answers without it. The teacher never sees a trigger, so its
 * backdoor is not handed on, and its answers on clean images hold the accuracy.
 *
 *     L = w·CE(f(x'), y) + λ·T²·KL(softmax(f̃(x)/T) ‖ softmax(f(x')/T)),  x' = x ⊕ T_c for some x
 */
export const triggerUnlearning: Repair<typeof config> = {
  name: "trigger-unlearning",
  summary: "Teaches the model to ignore the triggers that were found, with the suspect as teacher.",
  source: {
    paper: "Neural Cleanse: Identifying and Mitigating Backdoor Attacks in Neural Networks",
    authors: "Wang et al.",
    year: 2019,
    section: "VI-C",
    deviations: [
      "All classes' triggers are unlearned, the suspicious ones more often, under a mask and additive.",
      "Distillation from the suspect on images without triggers takes most of the labels' place.",
      "Folded batch norm is put back while tuning.",
    ],
  },
  config,
  async *run(context, input, options): AsyncGenerator<Checkpoint> {
    const triggers =
      input.triggers ??
      suspected(await searchSmallestTriggers(context, input.model, input.trusted));
    const weights = triggers.map(({ suspicion }) => suspicion ** options.focus);
    yield* fineTune(context, input, {
      ...options,
      stage: "trigger-unlearning",
      schedule: cosine(options.learningRate, options.steps),
      optimiser: sgd({ momentum: options.momentum, weightDecay: options.weightDecay }),
      stamp: (images, random) => stampSome(images, triggers, weights, options.stamped, random),
      loss(b, { student, pivot, labels }) {
        const task = b.mean(crossEntropy(b, student.logits, labels));
        const kept = b.mean(distillation(b, pivot.logits, student.logits, options.temperature));
        return b.add(
          b.mul(b.scalar(options.taskWeight), task),
          b.mul(b.scalar(options.distillation), kept),
        );
      },
    });
  },
};

/** Stamps the first `share` of the rows, each with a trigger drawn by weight. */
function stampSome(
  images: FloatTensor,
  triggers: readonly SuspectedTrigger[],
  weights: readonly number[],
  share: number,
  random: Random,
): FloatTensor {
  const rows = new Map<number, number[]>();
  for (let row = 0; row < Math.round(share * images.shape[0]!); row++) {
    const index = random.weighted(weights);
    rows.set(index, [...(rows.get(index) ?? []), row]);
  }
  return [...rows].reduce(
    (stamped, [index, list]) => stampOverlay(triggers[index]!.overlay, stamped, list),
    images,
  );
}
