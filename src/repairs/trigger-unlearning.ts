import { z } from "zod";
import type { Random } from "../core/random.ts";
import type { FloatTensor } from "../core/tensor.ts";
import type { ImageSet } from "../data/images.ts";
import { stampOverlay, strengthened } from "../data/overlay.ts";
import {
  DEFAULT_EFFORT,
  mostSuspicious,
  STANDS_OUT,
  type SuspectedTrigger,
  searchSmallestTriggers,
  suspected,
} from "../inversion/smallest.ts";
import type { Classifier } from "../models/classifier.ts";
import type { RunContext } from "../runtime/context.ts";
import { crossEntropy, distillation } from "../train/losses.ts";
import { sgd } from "../train/optimisers.ts";
import { cosine } from "../train/schedules.ts";
import { fineTune } from "./fine-tune.ts";
import { tuningFields } from "./options.ts";
import type { Checkpoint, Repair } from "./repair.ts";

const config = z.strictObject({
  ...tuningFields({ steps: 100, learningRate: 0.01, checkpointEvery: 20 }),
  stamped: z
    .number()
    .gt(0)
    .max(1)
    .default(0.4)
    .describe("share of every batch that carries a trigger"),
  strength: z
    .number()
    .min(1)
    .default(3)
    .describe("triggers are shown up to this many times as strongly as they were found"),
  suspicious: z
    .number()
    .min(0)
    .default(STANDS_OUT)
    .describe("triggers this many times smaller than the median class's are unlearned"),
  focus: z
    .number()
    .min(0)
    .default(4)
    .describe("a trigger is drawn with probability ∝ suspicion^focus; 0 draws all alike"),
  mixed: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe("share of the images that another one shines through"),
  renew: z
    .boolean()
    .default(true)
    .describe("search what is left of the most suspicious trigger again at every checkpoint"),
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
  temperature: z.number().positive().default(2).describe("temperature of the distillation"),
});

/**
 * Trigger unlearning: the smallest triggers of every class are searched, and the model is taught to
 * answer with a trigger what the suspect answers without it. The teacher never sees a trigger, so its
 * backdoor is not handed on, and its answers on clean images hold the accuracy.
 *
 *     L = w·CE(f(x'), y) + λ·T²·KL(softmax(f̃(x)/T) ‖ softmax(f(x')/T)),  x' = x ⊕ T_c for some x
 *
 * Every network has triggers; unlearning those that are as large as any other class's costs accuracy and
 * mends nothing, so they are left alone, and a clean model stays nearly as it was.
 *
 * A found trigger is only one of many that open the backdoor. At every checkpoint the class with the most
 * suspicious one is searched again on the model under repair, and what is found joins the others.
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
      "Every trigger that stands out is unlearned, of all kinds and classes, the suspicious ones more often.",
      "Triggers are shown up to three times as strongly as they were found: an attacker's need not be the smallest.",
      "Half of the images have another one shining through.",
      "Triggers are searched again while the model is tuned.",
      "Distillation from the suspect on images without triggers takes most of the labels' place.",
      "Folded batch norm is put back while tuning.",
    ],
  },
  config,
  async *run(context, { model, trusted, triggers }, options): AsyncGenerator<Checkpoint> {
    const known = triggers ?? suspected(await searchSmallestTriggers(context, model, trusted));
    const pool = known.filter(
      ({ reached, suspicion }) => reached && suspicion >= options.suspicious,
    );
    const checkpoints = fineTune(
      context,
      { model, trusted },
      {
        ...options,
        stage: "trigger-unlearning",
        schedule: cosine(options.learningRate, options.steps),
        optimiser: sgd({ momentum: options.momentum, weightDecay: options.weightDecay }),
        stamp: (images, random) => stampSome(images, pool, options, random),
        loss(b, { student, pivot, labels }) {
          const task = b.mean(crossEntropy(b, student.logits, labels));
          const kept = b.mean(distillation(b, pivot.logits, student.logits, options.temperature));
          return b.add(
            b.mul(b.scalar(options.taskWeight), task),
            b.mul(b.scalar(options.distillation), kept),
          );
        },
      },
    );
    const worst = mostSuspicious(pool);
    for await (const checkpoint of checkpoints) {
      yield checkpoint;
      if (!options.renew || !worst || checkpoint.step === options.steps) continue;
      const named = context.random.fork(`renew/${checkpoint.step}`);
      pool.push(
        ...(await leftOver({ ...context, random: named }, checkpoint.model, trusted, worst)),
      );
    }
  },
};

/** How hard the class under suspicion is searched again: more images, since it is one class alone. */
const RENEWAL = { ...DEFAULT_EFFORT, steps: 60, images: 32, classesPerStep: 1 };

/** A trigger that still works is worth unlearning as long as it is this much smaller than normal ones. */
const STILL_SUSPICIOUS = 1.5;

/** What is left of a trigger in the model under repair; nothing once it is as large as other classes'. */
async function leftOver(
  context: RunContext,
  model: Classifier,
  trusted: ImageSet,
  worst: SuspectedTrigger,
): Promise<SuspectedTrigger[]> {
  const effort = { ...RENEWAL, families: [worst.family] };
  const [found] = await searchSmallestTriggers(context, model, trusted, effort, [worst.target]);
  const normal = worst.size * worst.suspicion;
  return found!.flatMap((trigger) =>
    trigger.reached && normal / trigger.size > STILL_SUSPICIOUS
      ? [{ ...trigger, suspicion: worst.suspicion }]
      : [],
  );
}

/** Stamps the first rows, each with a trigger drawn by its suspicion. */
function stampSome(
  images: FloatTensor,
  triggers: readonly SuspectedTrigger[],
  { stamped, focus, strength }: Readonly<Record<"stamped" | "focus" | "strength", number>>,
  random: Random,
): FloatTensor {
  if (triggers.length === 0) return images;
  const weights = triggers.map(({ suspicion }) => suspicion ** focus);
  const rows = new Map<number, number[]>();
  for (let row = 0; row < Math.round(stamped * images.shape[0]!); row++) {
    const index = random.weighted(weights);
    rows.set(index, [...(rows.get(index) ?? []), row]);
  }
  return [...rows].reduce((result, [index, list]) => {
    const { overlay, suspicion } = triggers[index]!;
    // At most halfway to the size of the median class (as a ratio): such triggers change what an image shows.
    const most = Math.max(1, Math.min(strength, Math.sqrt(suspicion)));
    const shown = strengthened(overlay, random.uniform(1, most));
    return stampOverlay(shown, result, list);
  }, images);
}
