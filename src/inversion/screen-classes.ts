import { ascending, count, type ImageSet, subset } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import type { RunContext } from "../runtime/context.ts";
import { classTournament, type SharedTrigger } from "./class-tournament.ts";
import type { Examined } from "./examined.ts";
import { logProbabilities } from "./log-probabilities.ts";
import { boundedFamily } from "./search-plan.ts";
import type { FamilyName } from "./trigger-family.ts";

/** How many classes to pick, and by which kinds of trigger. */
export interface ScreeningPlan {
  readonly families: readonly FamilyName[];
  /** Classes picked for the full search. */
  readonly survivors: number;
  /** Classes drawn at random beside them. */
  readonly controls: number;
  /** How many triggers share a step of the tournament. */
  readonly groupsPerStep: number;
  /** How hard a tournament is fought; `TOURNAMENT` by default. */
  readonly effort?: { readonly steps: number; readonly images: number };
}

/**
 * How hard a tournament is fought. Thirty steps of four images were enough for a patch and a blended picture in a network of
 * 1000 classes (results/screening-verdicts.json); this is some more, and still less than the search of three classes.
 */
export const TOURNAMENT = { steps: 40, images: 8 } as const;

/** Most images that a tournament draws from; each passes through the network once by itself. */
export const POOL = 128;

/** What screening says of all classes. */
export interface Screening extends Examined {
  /** All classes, the likeliest target first. */
  readonly ranking: readonly number[];
  /** The same by each kind of trigger alone, in the order of the plan. */
  readonly rankings: readonly (readonly number[])[];
  /** The first of them, which are searched in full. */
  readonly survivors: readonly number[];
}

/** Triggers, and thereby groups of classes, of every tournament: their winners all survive. */
export function groupsFor({ survivors, families }: Pick<ScreeningPlan, "survivors" | "families">) {
  return Math.max(1, Math.floor(survivors / families.length));
}

/**
 * Ranks all classes by how readily images are moved into them, at a cost that does not grow with their number: one
 * tournament for each kind of trigger (`classTournament`). Winners of groups come first, then the other classes by
 * the likelihood that the best trigger gives them; the rankings of the kinds of trigger are merged by rank.
 *
 * Survivors are the extremes of all classes. That suits the comparison with the closest other class, whose closest
 * rivals they are, but it makes them useless as a picture of what is usual. For this there are controls, drawn
 * at random from all classes independently of the ranking: they, and they alone, are the null distribution (`Examined`).
 */
export async function screenClasses(
  context: RunContext,
  model: Classifier,
  images: ImageSet,
  plan: ScreeningPlan,
): Promise<Screening> {
  const { classes } = model;
  const random = context.random.fork("screening");
  const own = { ...context, random };
  const size = Math.min(POOL, count(images));
  const pool = subset(images, random.fork("pool").sample(ascending(count(images)), size));
  const plain = await logProbabilities(own, model, pool);
  const rankings: number[][] = [];
  for (const name of plan.families) {
    const rules = boundedFamily(name, pool);
    const groups = groupsFor(plan);
    const effort = { ...(plan.effort ?? TOURNAMENT), groups, groupsPerStep: plan.groupsPerStep };
    const stage = `screening by ${name} triggers`;
    const found = await classTournament(own, model, pool, plain, { ...rules, ...effort }, stage);
    rankings.push(rankedBy(found));
  }
  const ranking = mergedByRank(rankings);
  const survivors = ranking.slice(0, plan.survivors);
  const controls = random.fork("controls").sample(ascending(classes), plan.controls);
  const targets = [...new Set([...survivors, ...controls])].sort((a, b) => a - b);
  return { ranking, rankings, survivors, controls, targets };
}

/** All classes: those that a trigger moves more images into than into any other of its group, then by likelihood. */
export function rankedBy(triggers: readonly SharedTrigger[]): number[] {
  const best = (c: number) => Math.max(...triggers.map(({ likelihoods }) => likelihoods[c]!));
  const scores = triggers[0]!.likelihoods.map((_, c) => best(c));
  const winners = new Set(triggers.map(({ winner }) => winner));
  return ascending(scores.length).sort(
    (a, b) => Number(winners.has(b)) - Number(winners.has(a)) || scores[b]! - scores[a]! || a - b,
  );
}

/** Rankings of the same classes as one: by the best rank, the earlier ranking first among equals. */
export function mergedByRank(rankings: readonly (readonly number[])[]): number[] {
  const [first] = rankings;
  const merged = new Set<number>();
  first!.forEach((_, rank) => {
    for (const ranking of rankings) merged.add(ranking[rank]!);
  });
  return [...merged];
}
