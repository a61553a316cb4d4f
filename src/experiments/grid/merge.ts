import { isDeepStrictEqual } from "node:util";
import { type KeptPlan, keepPlan } from "./plans.ts";
import { type Snapshot, snapshotOf } from "./snapshot.ts";
import type { ResultStore } from "./store.ts";

/** What became of a merge. */
export interface Merged {
  /** Trials that were taken over. */
  readonly added: number;
  /** Trials that were there already with the same outcome. */
  readonly same: number;
  /** Keys of trials that were there already with another outcome; the older one stays. */
  readonly different: readonly string[];
  /** Documents of the other store that cannot be read; they stay where they are. */
  readonly damaged: Snapshot["damaged"];
}

/**
 * Takes the trials of another store over into this one. A trial that both have must have the same outcome: where it
 * does not, threads, machine or software differ, and the caller ought to know. What is damaged here and whole there is mended.
 */
export async function mergeInto(into: ResultStore, from: ResultStore): Promise<Merged> {
  let [added, same] = [0, 0];
  const different: string[] = [];
  const known = await snapshotOf(into);
  const other = await snapshotOf(from);
  for (const [key, record] of other.records) {
    const own = known.records.get(key);
    if (own) {
      if (isDeepStrictEqual(own.outcome, record.outcome)) same++;
      else different.push(key);
    } else {
      await into.adopt(from, record);
      added++;
    }
  }
  for (const plan of other.plans) await keepPlan(into, joined(known.plans, plan));
  return { added, same, different, damaged: other.damaged };
}

/** A plan with the trials of the one of the same name: the two may be of two versions of one file. */
function joined(known: readonly KeptPlan[], { experiment, trials }: KeptPlan): KeptPlan {
  const same = known.find((plan) => plan.experiment.name === experiment.name);
  const own = new Set(trials.map(({ key }) => key));
  const others = same?.trials.filter(({ key }) => !own.has(key)) ?? [];
  return { experiment, trials: [...trials, ...others] };
}
