import { isDeepStrictEqual } from "node:util";
import { type KeptPlan, keepPlan, keptPlans, type ResultStore } from "./store.ts";

/** What became of a merge. */
export interface Merged {
  /** Trials that were taken over. */
  readonly added: number;
  /** Trials that were there already with the same outcome. */
  readonly same: number;
  /** Keys of trials that were there already with another outcome; the older one stays. */
  readonly different: readonly string[];
}

/**
 * Takes the trials of another store over into this one. A trial that both have must have the same outcome: where it
 * does not, threads, machine or software differ, and the caller ought to know.
 */
export async function mergeInto(into: ResultStore, from: ResultStore): Promise<Merged> {
  let [added, same] = [0, 0];
  const different: string[] = [];
  for (const record of await from.all()) {
    if (!into.has(record.key)) {
      await into.adopt(from, record);
      added++;
    } else if (isDeepStrictEqual((await into.read(record.key)).outcome, record.outcome)) same++;
    else different.push(record.key);
  }
  const known = await keptPlans(into);
  for (const plan of await keptPlans(from)) await keepPlan(into, joined(known, plan));
  return { added, same, different };
}

/** A plan with the trials of the one of the same name: the two may be of two versions of one file. */
function joined(known: readonly KeptPlan[], { experiment, trials }: KeptPlan): KeptPlan {
  const same = known.find((plan) => plan.experiment.name === experiment.name);
  const own = new Set(trials.map(({ key }) => key));
  const others = same?.trials.filter(({ key }) => !own.has(key)) ?? [];
  return { experiment, trials: [...trials, ...others] };
}
