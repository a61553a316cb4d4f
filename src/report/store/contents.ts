import { type KeptPlan, keptPlans, type ResultStore } from "../../experiments/grid/store.ts";
import type { TrialFailure, TrialRecord } from "../../experiments/grid/trial-record.ts";
import type { Reproduced } from "../../experiments/reproduce/artefact.ts";
import { ARTEFACTS } from "../../experiments/reproduce/index.ts";
import { readArtefact } from "../../experiments/reproduce/reproduce.ts";
import { SCALE_NAMES, type Scale, scaleNamed } from "../../experiments/reproduce/scales.ts";
import type { Pictures } from "../pictures.ts";
import { picturesOf, readPictures } from "../reproduce/read-pictures.ts";

/** All that a page about a result store shows. */
export interface StoreContents {
  readonly folder: string;
  readonly plans: readonly KeptPlan[];
  /** What trials are called, by key; those of no known experiment have no name. */
  readonly labels: ReadonlyMap<string, string>;
  /** By key. */
  readonly records: ReadonlyMap<string, TrialRecord>;
  readonly failures: ReadonlyMap<string, TrialFailure>;
  /** Tables and figures of the paper of which the store has experiments. */
  readonly artefacts: readonly { readonly scale: Scale; readonly reproduced: Reproduced }[];
  readonly pictures: Pictures;
}

/** Reads a store. Throws `DATA_INVALID`. */
export async function storeContents(store: ResultStore): Promise<StoreContents> {
  const plans = await keptPlans(store);
  const records = await store.all();
  const failures = await store.failures();
  const artefacts = await artefactsIn(store, new Set(plans.map((plan) => plan.experiment.name)));
  const paths = [
    ...artefacts.flatMap(({ reproduced }) => picturesOf(reproduced)),
    ...records.flatMap(({ trigger }) => trigger ?? []),
  ];
  return {
    ...{ folder: store.folder, plans, artefacts },
    labels: new Map(
      plans.flatMap(({ trials }) => trials.map(({ key, label }) => [key, label] as const)),
    ),
    records: new Map(records.map((record) => [record.key, record])),
    failures: new Map(failures.map((failure) => [failure.key, failure])),
    pictures: await readPictures(store, [...new Set(paths)]),
  };
}

/** What is made of experiments that are there, at whatever scale. */
async function artefactsIn(
  store: ResultStore,
  names: ReadonlySet<string>,
): Promise<StoreContents["artefacts"]> {
  const found: StoreContents["artefacts"][number][] = [];
  for (const scale of SCALE_NAMES.map(scaleNamed)) {
    for (const artefact of Object.values(ARTEFACTS)) {
      const needed = artefact.experiments(scale).map(({ name }) => String(name));
      if (!needed.some((name) => names.has(name))) continue;
      found.push({ scale, reproduced: await readArtefact(artefact, scale, store) });
    }
  }
  return found;
}
