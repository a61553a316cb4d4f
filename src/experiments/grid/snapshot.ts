import { AntidoteError } from "../../core/errors.ts";
import type { Emit } from "../../core/progress.ts";
import { type KeptPlan, keptPlan, planNames } from "./plans.ts";
import type { ResultStore } from "./store.ts";
import type { TrialFailure, TrialRecord } from "./trial-record.ts";

/** What a store holds at one moment, for those who only read it. */
export interface Snapshot {
  readonly store: ResultStore;
  readonly plans: readonly KeptPlan[];
  /** What trials are called, by key; those of no known experiment have no name. */
  readonly labels: ReadonlyMap<string, string>;
  /** By key, ascending. */
  readonly records: ReadonlyMap<string, TrialRecord>;
  /** Why trials failed that are not done since, by key. */
  readonly failures: ReadonlyMap<string, TrialFailure>;
  /** Documents that cannot be read. They cost nothing but themselves. */
  readonly damaged: readonly Damaged[];
}

export interface Damaged {
  /** Key of the trial; null for what is known of an experiment. */
  readonly key: string | null;
  readonly error: AntidoteError;
}

export async function snapshotOf(store: ResultStore): Promise<Snapshot> {
  const damaged: Damaged[] = [];
  const readable = async <T>(
    names: readonly string[],
    keyOf: (name: string) => string | null,
    read: (name: string) => Promise<T>,
  ): Promise<Map<string, T>> => {
    const found = await Promise.all(
      names.map(async (name) => {
        try {
          return [[name, await read(name)] as const];
        } catch (error) {
          if (!(error instanceof AntidoteError)) throw error;
          damaged.push({ key: keyOf(name), error });
          return [];
        }
      }),
    );
    return new Map(found.flat());
  };
  const itself = (key: string) => key;
  const plans = await readable(
    await planNames(store),
    () => null,
    (name) => keptPlan(store, name),
  );
  const records = await readable(await store.keys(), itself, (key) => store.read(key));
  const failures = await readable(await store.failedKeys(), itself, (key) => store.failure(key));
  const labels = new Map(
    [...plans.values()].flatMap(({ trials }) =>
      trials.map(({ key, label }) => [key, label] as const),
    ),
  );
  return { store, plans: [...plans.values()], labels, records, failures, damaged };
}

/** Says which documents are left out, and why. */
export function warnOfDamage(emit: Emit, damaged: readonly Damaged[]): void {
  for (const { error } of damaged) {
    const message = `Left out: ${error.place}. ${error.message} ${error.next}`;
    emit({ kind: "warning", stage: "store", message });
  }
}
