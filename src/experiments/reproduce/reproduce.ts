import type { RunContext } from "../../runtime/context.ts";
import { type Experiment, experimentFrom } from "../grid/experiment-file.ts";
import { type ExperimentRun, runExperiment } from "../grid/run-experiment.ts";
import type { GridResult } from "../grid/run-grid.ts";
import { type Snapshot, snapshotOf } from "../grid/snapshot.ts";
import { ResultStore } from "../grid/store.ts";
import type { Artefact, Reproduced } from "./artefact.ts";
import { Results } from "./results.ts";
import type { Scale } from "./scales.ts";

/** What became of an experiment. */
export type NamedRun = GridResult & { readonly experiment: string; readonly duration: number };

/** The experiments of a table or figure, complete. Throws `INVALID_CONFIG`. */
export function plansOf(artefact: Artefact, scale: Scale): Experiment[] {
  return artefact
    .experiments(scale)
    .map((input) => experimentFrom(input, String(input.name), () => artefact.name));
}

/**
 * Runs what is missing for a table or figure, and reads it.
 * @throws the errors of `runExperiment`
 */
export async function reproduce(
  events: Pick<RunContext, "emit" | "signal">,
  artefact: Artefact,
  scale: Scale,
  options: Omit<ExperimentRun, "plan">,
): Promise<{ readonly reproduced: Reproduced; readonly runs: readonly NamedRun[] }> {
  const runs: NamedRun[] = [];
  for (const plan of plansOf(artefact, scale)) {
    runs.push({ experiment: plan.name, ...(await runExperiment(events, { ...options, plan })) });
  }
  const snapshot = await snapshotOf(await ResultStore.open(options.store));
  return { reproduced: readArtefact(artefact, scale, snapshot), runs };
}

/** Reads a table or figure from what a store has; runs nothing. */
export function readArtefact(
  artefact: Artefact,
  scale: Scale,
  snapshot: Pick<Snapshot, "plans" | "records">,
): Reproduced {
  const names = artefact.experiments(scale).map(({ name }) => String(name));
  const results = names.map((name) => Results.named(snapshot, name));
  const [first = new Results([]), ...others] = results;
  const read = artefact.read([first, ...others]);
  return { ...read, notes: [...read.notes, ...buildsOf(snapshot, names)] };
}

/** Says it where trials were made by several builds: methods that changed have other keys, but the number is not one of one build. */
function buildsOf(
  { plans, records }: Pick<Snapshot, "plans" | "records">,
  names: readonly string[],
): string[] {
  const keys = plans
    .filter(({ experiment }) => names.includes(experiment.name))
    .flatMap(({ trials }) => trials.map(({ key }) => key));
  const builds = new Set(keys.flatMap((key) => records.get(key)?.versions.build ?? []));
  if (builds.size < 2) return [];
  return [
    `Made by ${builds.size} builds of Antidote and earlier ones; a method whose outcome changed between them has been measured anew.`,
  ];
}
