import { isDeepStrictEqual } from "node:util";
import { median } from "simple-statistics";
import { snapshotOf } from "./snapshot.ts";
import type { ResultStore } from "./store.ts";
import { methodOf, type TrialConfig } from "./trial.ts";
import type { TrialRecord } from "./trial-record.ts";

/** A trial and how much work it is, in forward passes of some network. */
export interface TrialWork {
  readonly config: TrialConfig;
  readonly amount: number;
}

/** How long work took in trials that a store has already. */
export class Paces {
  /** Seconds per forward pass, by what trials do and where. */
  readonly #paces: ReadonlyMap<string, number>;

  private constructor(paces: ReadonlyMap<string, number>) {
    this.#paces = paces;
  }

  /**
   * @param works trials by key, those among them that the store has
   * @param here the machine; of others those say something that computed alike, with as many threads
   */
  static async in(
    store: ResultStore,
    works: ReadonlyMap<string, TrialWork>,
    here: TrialRecord["hardware"],
  ): Promise<Paces> {
    const { records } = await snapshotOf(store);
    const seen = new Map<string, number[]>();
    for (const [key, { config, amount }] of works) {
      const record = records.get(key);
      const where = record && whereabouts(record.hardware, here);
      if (!where) continue;
      for (const doing of doingsOf(config)) {
        const known = `${doing} ${where}`;
        seen.set(known, [...(seen.get(known) ?? []), record.duration / amount]);
      }
    }
    // The median: a machine that slept has made single trials look long.
    return new Paces(new Map([...seen].map(([doing, each]) => [doing, median(each)])));
  }

  /**
   * As long as trials took that did the same, or else something of the same kind, here rather than elsewhere; undefined where
   * there are none.
   */
  secondsFor({ config, amount }: TrialWork): number | undefined {
    const pace = doingsOf(config)
      .flatMap((doing) => WHEREABOUTS.map((where) => this.#paces.get(`${doing} ${where}`)))
      .find((known) => known !== undefined);
    return pace === undefined ? undefined : pace * amount;
  }
}

const WHEREABOUTS = ["here", "elsewhere"] as const;

/** Whether a trial ran on this machine, or on another one that is likely to take about as long; undefined for all others. */
function whereabouts(
  there: TrialRecord["hardware"],
  here: TrialRecord["hardware"],
): (typeof WHEREABOUTS)[number] | undefined {
  if (isDeepStrictEqual(there, here)) return "here";
  return there.device === here.device && there.threads === here.threads ? "elsewhere" : undefined;
}

/** What a trial does: with which method, and then of what kind. */
function doingsOf(config: TrialConfig): readonly string[] {
  return [`${config.kind} ${methodOf(config)?.name ?? "none"}`, config.kind];
}
