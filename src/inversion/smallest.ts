import { ascending, type ImageSet } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import type { RunContext } from "../runtime/context.ts";
import { type Inverted, invertTriggers } from "./invert.ts";
import { searchPlan } from "./search-plan.ts";
import { smallest } from "./size-control.ts";
import { FAMILY_NAMES, type FamilyName } from "./trigger-family.ts";

/** The smallest triggers of every class that was searched, in the order of these classes: one list per family. */
export type SmallestTriggers = readonly (readonly Inverted[])[];

/** How hard to search. */
export interface SearchEffort {
  readonly families: readonly FamilyName[];
  /** Adam steps per group of classes. */
  readonly steps: number;
  /** Images per class and step. */
  readonly images: number;
  readonly classesPerStep: number;
  /** Success on the suspect that a trigger must have. */
  readonly success: number;
}

export const DEFAULT_EFFORT: SearchEffort = {
  families: FAMILY_NAMES,
  steps: 120,
  images: 8,
  classesPerStep: 10,
  success: 0.9,
};

/**
 * The smallest trigger of every class that the suspect obeys: the size is penalised more as long as the
 * trigger works and less where it does not.
 * @param targets the classes to search; by default all
 */
export async function searchSmallestTriggers(
  context: RunContext,
  suspect: Classifier,
  images: ImageSet,
  effort: SearchEffort = DEFAULT_EFFORT,
  targets: readonly number[] = ascending(suspect.classes),
): Promise<SmallestTriggers> {
  const found: Inverted[][] = [];
  for (const name of effort.families) {
    const plan = searchPlan(name, images, effort, (pace) => smallest(effort.success, pace));
    found.push(
      await invertTriggers(context, { suspect }, images, targets, plan, `${name} triggers`),
    );
  }
  return found;
}

/** Searches from other random starts, where one may find no small trigger and the next one does. */
export const STARTS = 2;

/** The triggers of several searches with the usual effort, each compared with the others of its search and family. */
export async function searchSuspected(
  context: RunContext,
  suspect: Classifier,
  images: ImageSet,
): Promise<SuspectedTrigger[]> {
  const found: SuspectedTrigger[] = [];
  for (let start = 0; start < STARTS; start++) {
    const own = { ...context, random: context.random.fork(`start/${start}`) };
    found.push(...suspected(await searchSmallestTriggers(own, suspect, images)));
  }
  return found;
}

/** The triggers of all families and classes, each compared with the others of its family. */
export function suspected(found: SmallestTriggers): SuspectedTrigger[] {
  return found.flatMap((family) => {
    const ratios = sizeRatios(family);
    const gaps = sizeGaps(family);
    return family.map((trigger, index) => ({
      ...trigger,
      suspicion: ratios[index]!,
      gap: gaps[index]!,
    }));
  });
}

/**
 * Gap to the closest other class from which a trigger stands out. Natural triggers of one class are often far
 * smaller than the median class's, but then another class has one that is nearly as small. Halfway (as a ratio)
 * between the largest gap of a clean and the smallest of a backdoored model among those trained for the
 * constants of the verdict (results/calibration.json).
 */
export const STANDS_OUT = 1.3;

/**
 * The triggers with which a backdoor may be opened; those of a clean model are alike and none is among them. As for the verdict, the
 * mean over all searches counts: in one of them a natural trigger may stand out by luck (a clean ResNet-20 had lost ten points to
 * one), and what a backdoor leaves stands out enough where it is found to do so on average.
 */
export function standingOut(
  triggers: readonly SuspectedTrigger[],
  from = STANDS_OUT,
): SuspectedTrigger[] {
  const kindOf = ({ family, target }: SuspectedTrigger) => `${family}/${target}`;
  const gaps = new Map<string, number[]>();
  for (const trigger of triggers) {
    gaps.set(kindOf(trigger), [...(gaps.get(kindOf(trigger)) ?? []), trigger.gap]);
  }
  const usual = (trigger: SuspectedTrigger) => {
    const all = gaps.get(kindOf(trigger))!;
    return all.reduce((sum, gap) => sum + gap, 0) / all.length;
  };
  return triggers.filter(
    (trigger) => trigger.reached && trigger.gap >= from && usual(trigger) >= from,
  );
}

/** The trigger that stands out most; undefined if there is none. */
export function mostSuspicious(
  triggers: readonly SuspectedTrigger[],
): SuspectedTrigger | undefined {
  return triggers.reduce<SuspectedTrigger | undefined>(
    (a, b) => (a && a.suspicion >= b.suspicion ? a : b),
    undefined,
  );
}

/** A trigger beside those of the other classes; both ratios are 0 if the suspect never obeyed it. */
export interface SuspectedTrigger extends Inverted {
  /** How many times smaller it is than that of the median other class (`sizeRatios`). */
  readonly suspicion: number;
  /** How many times smaller it is than the smallest of any other class (`sizeGaps`). */
  readonly gap: number;
}

/**
 * For every class: how many times smaller its trigger is than that of the median other class. A trigger
 * that never worked counts with the size that was not enough, but at least as large as any that worked;
 * its own ratio is 0.
 */
export function sizeRatios(triggers: readonly Pick<Inverted, "size" | "reached">[]): number[] {
  return triggers.map(({ size, reached }, index) => {
    if (!reached) return 0;
    const others = sizesOfOthers(triggers, index);
    const middle = (others.length - 1) / 2;
    return (others[Math.floor(middle)]! + others[Math.ceil(middle)]!) / 2 / size;
  });
}

/**
 * For every class: how many times smaller its trigger is than the smallest of any other class; 0 if it
 * never worked. Only one class can be above 1, and searches that did not settle cannot raise it.
 */
export function sizeGaps(triggers: readonly Pick<Inverted, "size" | "reached">[]): number[] {
  return triggers.map(({ size, reached }, index) =>
    reached ? sizesOfOthers(triggers, index)[0]! / size : 0,
  );
}

/** The sizes of all other classes' triggers, ascending. */
function sizesOfOthers(
  triggers: readonly Pick<Inverted, "size" | "reached">[],
  index: number,
): number[] {
  const largest = Math.max(0, ...triggers.filter((t) => t.reached).map((t) => t.size));
  return triggers
    .map(({ size, reached }) => (reached ? size : Math.max(size, largest)))
    .filter((_, other) => other !== index)
    .sort((a, b) => a - b);
}
