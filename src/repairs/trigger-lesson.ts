import { z } from "zod";
import type { Random } from "../core/random.ts";
import type { FloatTensor } from "../core/tensor.ts";
import { type FixedTrigger, stampTrigger, strengthened } from "../data/fixed-trigger.ts";
import type { ImageSet } from "../data/images.ts";
import {
  mostSuspicious,
  STANDS_OUT,
  type SuspectedTrigger,
  searchSuspected,
  standingOut,
} from "../inversion/smallest.ts";
import { searchStrongestTrigger } from "../inversion/strongest.ts";
import type { Classifier } from "../models/classifier.ts";
import type { RunContext } from "../runtime/context.ts";
import type { RepairInput } from "./repair.ts";
import type { Lesson } from "./unlearning.ts";

export const TRIGGER_LESSON = z.object({
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

type Options = z.output<typeof TRIGGER_LESSON>;

/**
 * The triggers that stand out, as something to unlearn. Every network has triggers; unlearning natural ones costs
 * accuracy and mends nothing, so only those of a class that needs a clearly smaller one than any other class count.
 *
 * The smallest trigger is the least that opens a backdoor; the attacker's is larger and may still work when the
 * smallest no longer does. So for the most suspicious class the strongest trigger up to a size between the smallest
 * one's and normal ones' is searched, too: on the suspect, and again at every checkpoint on the model under repair.
 * What is found joins the others.
 * @returns undefined where none stands out
 */
export async function triggerLesson(
  context: RunContext,
  { model, trusted, triggers }: RepairInput,
  options: Options,
): Promise<Lesson | undefined> {
  const known = triggers ?? (await searchSuspected(context, model, trusted));
  const suspicious = standingOut(known, options.gap);
  if (suspicious.length === 0) return undefined;
  const pool = suspicious.map((trigger) => shownAsFound(trigger, options));
  const worst = options.renew ? mostSuspicious(suspicious) : undefined;
  const renew = async (step: number, searched: Classifier) => {
    if (!worst) return;
    const random = context.random.fork(`renew/${step}`);
    const left = await strongestLeft({ ...context, random }, searched, trusted, worst);
    if (left) pool.push({ trigger: left, weight: weightOf(worst, options), strength: 1 });
  };
  await renew(0, model);
  return { stamp: (images, rows, random) => stampRows(images, rows, pool, random), renew };
}

/** A trigger as images are shown with it. */
interface Shown {
  readonly trigger: FixedTrigger;
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
  return { trigger: trigger.trigger, weight: weightOf(trigger, options), strength };
}

/** The strongest trigger to the class under suspicion that is left in the model under repair, if any. */
async function strongestLeft(
  context: RunContext,
  model: Classifier,
  trusted: ImageSet,
  worst: SuspectedTrigger,
): Promise<FixedTrigger | undefined> {
  const { family, target, size } = worst;
  const bounds = { family, target, budget: size * halfway(worst) };
  const found = await searchStrongestTrigger(context, model, trusted, bounds);
  return found.reached ? found.trigger : undefined;
}

/** Stamps rows, each with a trigger drawn by its weight. */
function stampRows(
  images: FloatTensor,
  stamped: readonly number[],
  triggers: readonly Shown[],
  random: Random,
): FloatTensor {
  const weights = triggers.map(({ weight }) => weight);
  const rows = new Map<number, number[]>();
  for (const row of stamped) {
    const index = random.weighted(weights);
    rows.set(index, [...(rows.get(index) ?? []), row]);
  }
  return [...rows].reduce((result, [index, list]) => {
    const { trigger, strength } = triggers[index]!;
    return stampTrigger(strengthened(trigger, random.uniform(1, strength)), result, list);
  }, images);
}
