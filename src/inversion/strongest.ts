import type { ImageSet } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import type { RunContext } from "../runtime/context.ts";
import { type Inverted, invertTriggers } from "./invert.ts";
import { searchPlan } from "./search-plan.ts";
import { strongest } from "./size-control.ts";
import type { FamilyName } from "./trigger-family.ts";

/** What to search: the kind of trigger, the class it leads to, and its largest size. */
export interface Bounds {
  readonly family: FamilyName;
  readonly target: number;
  readonly budget: number;
}

/** Steps and images of a search: few steps suffice, since no size has to settle. */
export const STRONGEST_EFFORT = { steps: 60, images: 32, classesPerStep: 1 };

/**
 * The trigger within a size that moves the most images to a class. Where a smallest trigger is the least
 * that opens a backdoor, this one is closer to what an attacker would put there.
 */
export async function searchStrongestTrigger(
  context: RunContext,
  model: Classifier,
  images: ImageSet,
  { family, target, budget }: Bounds,
): Promise<Inverted> {
  const plan = searchPlan(family, images, STRONGEST_EFFORT, (pace) => strongest(budget, pace));
  const stage = `${family} trigger`;
  const [found] = await invertTriggers(context, { suspect: model }, images, [target], plan, stage);
  return found!;
}
