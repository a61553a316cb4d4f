import { AntidoteError } from "../../core/errors.ts";
import type { Emit } from "../../core/progress.ts";
import { type KeptPlan, keptPlan, planNames } from "./plans.ts";
import type { ResultStore } from "./store.ts";
import type { TrialConfig } from "./trial.ts";
import type { TrialFailure, TrialRecord } from "./trial-record.ts";

/** What a store holds at one moment, for those who only read it. */
export interface Snapshot {
  readonly store: ResultStore;
  readonly plans: readonly KeptPlan[];
  /** What trials are called, by key; those of no known experiment have no name. */
  readonly labels: ReadonlyMap<string, string>;
  /** What trials are about, done or not, by key. */
  readonly configs: ReadonlyMap<string, TrialConfig>;
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
  const plans = await readAll(await planNames(store), (name) => keptPlan(store, name));
  const records = await readAll(await store.keys(), (key) => store.read(key));
  const failures = await readAll(await store.failedKeys(), (key) => store.failure(key));
  const trials = [...plans.found.values()].flatMap((plan) => plan.trials);
  return {
    store,
    plans: [...plans.found.values()],
    labels: new Map(trials.map(({ key, label }) => [key, label])),
    configs: new Map(
      [...trials, ...records.found.values()].map(({ key, config }) => [key, config]),
    ),
    records: records.found,
    failures: failures.found,
    damaged: [
      ...plans.damaged.map(({ error }) => ({ key: null, error })),
      ...damagedIn(records, failures),
    ],
  };
}

/** Documents by name, and those that cannot be read. One that is gone meanwhile is neither. */
interface ReadDocuments<T> {
  readonly found: Map<string, T>;
  readonly damaged: readonly { readonly name: string; readonly error: AntidoteError }[];
}

/** Reads documents, in the order of their names. */
async function readAll<T>(
  names: readonly string[],
  read: (name: string) => Promise<T>,
): Promise<ReadDocuments<T>> {
  const outcomes = await Promise.all(
    names.map(async (name) => {
      try {
        return { name, value: await read(name) };
      } catch (error) {
        if (error instanceof AntidoteError) return { name, error };
        throw error;
      }
    }),
  );
  return {
    found: new Map(
      outcomes.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value] as const])),
    ),
    damaged: outcomes.flatMap(({ name, error }) =>
      error === undefined || error.code === "DATA_NOT_FOUND" ? [] : [{ name, error }],
    ),
  };
}

/** What is damaged of these trials; reads no others. */
export async function damagedAmong(
  store: ResultStore,
  trials: readonly { readonly key: string }[],
): Promise<Damaged[]> {
  const own = new Set(trials.map(({ key }) => key));
  const among = (keys: readonly string[]) => keys.filter((key) => own.has(key));
  const records = await readAll(among(await store.keys()), (key) => store.read(key));
  const failures = await readAll(among(await store.failedKeys()), (key) => store.failure(key));
  return damagedIn(records, failures);
}

/** @param kinds what trials have in a store: documents by their key */
function damagedIn(...kinds: readonly Pick<ReadDocuments<unknown>, "damaged">[]): Damaged[] {
  return kinds.flatMap(({ damaged }) => damaged.map(({ name, error }) => ({ key: name, error })));
}

/** Says which documents are left out, and why. */
export function warnOfDamage(emit: Emit, damaged: readonly Damaged[]): void {
  for (const { error } of damaged) {
    const message = `Left out: ${error.place}. ${error.message} ${error.next}`;
    emit({ kind: "warning", stage: "store", message });
  }
}
