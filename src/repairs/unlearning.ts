import { z } from "zod";
import type { Random } from "../core/random.ts";
import type { FloatTensor } from "../core/tensor.ts";
import { ascending } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import type { RunContext } from "../runtime/context.ts";
import { crossEntropy, distillation } from "../train/losses.ts";
import { sgd } from "../train/optimisers.ts";
import { cosine } from "../train/schedules.ts";
import { type FineTunePlan, fineTune } from "./fine-tune.ts";
import { tuningFields } from "./options.ts";
import { parameterDistance } from "./parameter-distance.ts";
import type { Checkpoint, RepairInput } from "./repair.ts";
import type { Pace } from "./tuning-steps.ts";

/** The options of every repair that teaches the model to ignore something it is shown. */
export const UNLEARNING = z.object({
  ...tuningFields({ steps: 100, learningRate: 0.003, checkpointEvery: 20, batchNorm: "frozen" }),
  stamped: z
    .number()
    .gt(0)
    .max(1)
    .default(0.5)
    .describe("share of every batch that shows what is to be unlearned"),
  mixed: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe("share of the images that another one shines through"),
  taskWeight: z
    .number()
    .min(0)
    .default(0.2)
    .describe("weight of the cross-entropy with the labels"),
  distillation: z
    .number()
    .min(0)
    .default(2)
    .describe("weight of the distillation from what the suspect says without the trigger"),
  anchor: z
    .number()
    .min(0)
    .default(0.3)
    .describe("weight of half the squared distance from the suspect's weights"),
  temperature: z.number().positive().default(2).describe("temperature of the distillation"),
});

/**
 * The model is taught to answer with a trigger, x' = x ⊕ T for some x, what the suspect answers without it. The
 * teacher never sees a trigger, so its backdoor is not handed on, and its answers on clean images hold the accuracy:
 *
 *     L = w·CE(f(x'), y) + λ·T²·KL(softmax(f̃(x)/T) ‖ softmax(f(x')/T)) + (α/2)·‖θ − θ̃‖²
 *
 * The last term pulls every weight back that the unlearning does not need moved: the trusted images are too few to
 * notice all that is lost. Batch normalisation stays as it is: the model then starts with its own teacher's answers,
 * and how far it leaves them on clean images tells which learning rate fits (see `RateGovernor`).
 */
function plan(options: z.output<typeof UNLEARNING>): Omit<FineTunePlan, "stage" | "stamp"> {
  return {
    ...options,
    governed: true,
    schedule: cosine(options.learningRate, options.steps),
    optimiser: sgd({ momentum: options.momentum, weightDecay: options.weightDecay }),
    loss(b, terms) {
      const { student, pivot, labels } = terms;
      const task = b.mean(crossEntropy(b, student.logits, labels));
      const kept = b.mean(distillation(b, pivot.logits, student.logits, options.temperature));
      const learned = b.add(
        b.mul(b.scalar(options.taskWeight), task),
        b.mul(b.scalar(options.distillation), kept),
      );
      if (options.anchor === 0) return learned;
      const distance = parameterDistance(b, terms, "sum-squared");
      return b.add(learned, b.mul(b.scalar(options.anchor / 2), distance));
    },
  };
}

/** Something that the model is taught to ignore. */
export interface Lesson {
  /** Shows it on some rows of a batch [B,C,H,W]; a new batch. */
  stamp(images: FloatTensor, rows: readonly number[], random: Random): FloatTensor;
  /** Searches it again on the model under repair, after this step. */
  renew(step: number, model: Classifier): Promise<void>;
}

/**
 * Teaches a model to ignore what the lessons show, in equal parts. Without a lesson the model stays as it is.
 * @param stage name of the repair
 */
export async function* unlearn(
  context: RunContext,
  input: RepairInput,
  lessons: readonly Lesson[],
  options: z.output<typeof UNLEARNING>,
  stage: string,
): AsyncGenerator<Checkpoint> {
  if (lessons.length === 0) {
    const why = "nothing stands out that could be unlearned";
    yield untouched(context, input, { ...options, stage }, why);
    return;
  }
  const stamp = (images: FloatTensor, random: Random): FloatTensor => {
    const rows = ascending(Math.round(options.stamped * images.shape[0]!));
    return lessons.reduce((shown, lesson, at) => {
      const own = rows.filter((row) => row % lessons.length === at);
      return lesson.stamp(shown, own, random);
    }, images);
  };
  const checkpoints = fineTune(context, input, { ...plan(options), stage, stamp });
  for await (const checkpoint of checkpoints) {
    yield checkpoint;
    if (checkpoint.step === options.steps) return;
    for (const { renew } of lessons) await renew(checkpoint.step, checkpoint.model);
  }
}

/**
 * The model as it is, as the end of a repair that has nothing to unlearn; a note says so.
 * @param why the start of that note
 */
export function untouched(
  { emit }: Pick<RunContext, "emit">,
  { model }: Pick<RepairInput, "model">,
  { stage, steps }: Pick<Pace, "stage" | "steps">,
  why: string,
): Checkpoint {
  emit({ kind: "note", stage, message: `${why}: the model stays as it is` });
  return { step: steps, loss: 0, model };
}
