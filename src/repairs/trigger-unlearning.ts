import { z } from "zod";
import type { Random } from "../core/random.ts";
import type { FloatTensor } from "../core/tensor.ts";
import type { ImageSet } from "../data/images.ts";
import { type Overlay, stampOverlay, strengthened } from "../data/overlay.ts";
import {
  mostSuspicious,
  STANDS_OUT,
  type SuspectedTrigger,
  searchSmallestTriggers,
  standingOut,
  suspected,
} from "../inversion/smallest.ts";
import { searchStrongestTrigger } from "../inversion/strongest.ts";
import type { Classifier } from "../models/classifier.ts";
import type { RunContext } from "../runtime/context.ts";
import { fineTune } from "./fine-tune.ts";
import { LEARNING_RATES } from "./options.ts";
import type { Checkpoint, Repair, RepairInput } from "./repair.ts";
import { UNLEARNING, unlearning } from "./unlearning.ts";

const config = z.strictObject({
  ...UNLEARNING.shape,
  strength: z
    .number()
    .min(1)
    .default(3)
    .describe("triggers are shown up to this many times as strongly as they were found"),
  gap: z
    .number()
    .min(0)
    .default(STANDS_OUT)
    .describe("triggers this many times smaller than any other class's are unlearned"),
  focus: z
    .number()
    .min(0)
    .default(4)
    .describe("a trigger is drawn with probability ∝ suspicion^focus; 0 draws all alike"),
  renew: z
    .boolean()
    .default(true)
    .describe(
      "search the strongest trigger to the most suspicious class at the start and at every checkpoint",
    ),
});

type Options = z.output<typeof config>;

/**
 * Trigger unlearning: the smallest triggers of every class are searched, and the model is taught to answer with a
 * trigger what the suspect answers without it: see `unlearning`.
 *
 * Every network has triggers; unlearning natural ones costs accuracy and mends nothing, so only those of a
 * class that needs a clearly smaller one than any other class are unlearned. Where none stands out the model
 * stays as it is.
 *
 * The smallest trigger is the least that opens a backdoor; the attacker's is larger and may still work when
 * the smallest no longer does. So for the most suspicious class the strongest trigger up to a size between
 * the smallest one's and normal ones' is searched, too: on the suspect, and again at every checkpoint on the
 * model under repair. What is found joins the others.
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
      "Triggers of every kind that stand out are unlearned, the most suspicious ones more often.",
      "Triggers are shown up to three times as strongly as they were found: an attacker's need not be the smallest.",
      "Half of the images have another one shining through.",
      "The strongest trigger up to a size is searched before and again while the model is tuned.",
      "The learning rate is lowered as long as clean images do not keep their answers.",
      "Distillation from the suspect on images without triggers takes most of the labels' place.",
      "Weights are pulled to the suspect's (L2-SP of Li et al., 2018).",
    ],
  },
  config,
  takesTriggers: true,
  space: {
    learningRate: LEARNING_RATES,
    distillation: [1, 2, 4],
    anchor: [0, 0.1, 0.3, 1],
    strength: [1, 2, 3],
  },
  async *run(context, { model, trusted, triggers }, options): AsyncGenerator<Checkpoint> {
    const known = triggers ?? suspected(await searchSmallestTriggers(context, model, trusted));
    const suspicious = standingOut(known, options.gap);
    if (suspicious.length === 0) {
      const message = "no trigger stands out: nothing to unlearn, the model stays as it is";
      context.emit({ kind: "note", stage: STAGE, message });
      yield { step: options.steps, loss: 0, model };
      return;
    }
    const pool = suspicious.map((trigger) => shownAsFound(trigger, options));
    const worst = options.renew ? mostSuspicious(suspicious) : undefined;
    const renew = async (step: number, searched: Classifier) => {
      if (!worst) return;
      const random = context.random.fork(`renew/${step}`);
      const left = await strongestLeft({ ...context, random }, searched, trusted, worst);
      if (left) pool.push({ overlay: left, weight: weightOf(worst, options), strength: 1 });
    };
    await renew(0, model);
    for await (const checkpoint of tune(context, { model, trusted }, pool, options)) {
      yield checkpoint;
      if (checkpoint.step < options.steps) await renew(checkpoint.step, checkpoint.model);
    }
  },
};

const STAGE = "trigger-unlearning";

/** A trigger as images are shown with it. */
interface Shown {
  readonly overlay: Overlay;
  /** It is drawn with a probability in proportion to this. */
  readonly weight: number;
  /** Up to how many times as strongly as it is. */
  readonly strength: number;
}

/** Halfway (as a ratio) from a trigger's size to the median class's: larger ones change what an image shows. */
const halfway = ({ suspicion }: SuspectedTrigger): number => Math.sqrt(suspicion);

const weightOf = ({ suspicion }: SuspectedTrigger, { focus }: Options): number =>
  suspicion ** focus;

function shownAsFound(trigger: SuspectedTrigger, options: Options): Shown {
  const strength = Math.max(1, Math.min(options.strength, halfway(trigger)));
  return { overlay: trigger.overlay, weight: weightOf(trigger, options), strength };
}

function tune(
  context: RunContext,
  input: RepairInput,
  pool: readonly Shown[],
  options: Options,
): AsyncGenerator<Checkpoint> {
  return fineTune(context, input, {
    ...unlearning(options),
    stage: STAGE,
    stamp: (images, random) => stampSome(images, pool, options, random),
  });
}

/** The strongest trigger to the class under suspicion that is left in the model under repair, if any. */
async function strongestLeft(
  context: RunContext,
  model: Classifier,
  trusted: ImageSet,
  worst: SuspectedTrigger,
): Promise<Overlay | undefined> {
  const { family, target, size } = worst;
  const bounds = { family, target, budget: size * halfway(worst) };
  const found = await searchStrongestTrigger(context, model, trusted, bounds);
  return found.reached ? found.overlay : undefined;
}

/** Stamps the first rows, each with a trigger drawn by its weight. */
function stampSome(
  images: FloatTensor,
  triggers: readonly Shown[],
  { stamped }: Options,
  random: Random,
): FloatTensor {
  const weights = triggers.map(({ weight }) => weight);
  const rows = new Map<number, number[]>();
  for (let row = 0; row < Math.round(stamped * images.shape[0]!); row++) {
    const index = random.weighted(weights);
    rows.set(index, [...(rows.get(index) ?? []), row]);
  }
  return [...rows].reduce((result, [index, list]) => {
    const { overlay, strength } = triggers[index]!;
    return stampOverlay(strengthened(overlay, random.uniform(1, strength)), result, list);
  }, images);
}
