import type { RunContext } from "../../runtime/context.ts";
import { choicesOf } from "./choices.ts";
import { expand } from "./expand.ts";
import { type Experiment, sourceOf } from "./experiment-file.ts";
import { readImages } from "./materials.ts";
import { pausing } from "./pausing.ts";
import { keepPlan, type Outgrown, outgrown } from "./plans.ts";
import type { WorkerOptions } from "./protocol.ts";
import { type GridResult, runGrid } from "./run-grid.ts";
import { partOf, type Shard } from "./shard.ts";
import { damagedAmong, warnOfDamage } from "./snapshot.ts";
import { ResultStore } from "./store.ts";

export interface ExperimentRun extends Pick<WorkerOptions, "device" | "threads"> {
  readonly plan: Experiment;
  /** Folder that the plan's paths are meant from; by default the working directory. */
  readonly folder?: string | undefined;
  /** Folder of the result store; made if it is not there. */
  readonly store: string;
  readonly workers: number;
  /** The part to run; all of it by default. */
  readonly shard?: Shard | undefined;
  /** What parts are made of, where several experiments are divided together: see `partOf`. */
  readonly families?: readonly string[] | undefined;
}

/**
 * Runs an experiment, or a part of it, as far as the store does not have it yet.
 * @throws `PAUSED`; the errors of `choicesOf`, `readImages`, `expand` and `runGrid`
 */
export async function runExperiment(
  events: Pick<RunContext, "emit" | "signal">,
  { plan, folder, store: stored, workers, shard, families, device, threads }: ExperimentRun,
): Promise<GridResult & { readonly duration: number }> {
  const started = performance.now();
  // Reading images may take a while: what can be wrong without them is found first.
  choicesOf(plan);
  const source = sourceOf(plan, folder);
  const images = await pausing(readImages(source, events));
  const trials = expand(plan, images);
  const store = await ResultStore.open(stored);
  const kept = { experiment: plan, trials: trials.map(({ family: _, ...trial }) => trial) };
  for (const message of leftBehind(plan.name, await outgrown(store, kept))) {
    events.emit({ kind: "note", stage: "experiment", message });
  }
  warnOfDamage(events.emit, await damagedAmong(store, trials));
  await keepPlan(store, kept);
  const part = shard ? partOf(trials, shard, families) : trials;
  const result = await runGrid(events, store, images, part, { source, workers, device, threads });
  return { ...result, duration: (performance.now() - started) / 1000 };
}

/** What a user should know of trials that an experiment outgrows. */
function leftBehind(name: string, { again, gone }: Outgrown): string[] {
  return [
    ...(again > 0
      ? [
          `${again} trials of "${name}" were made with other settings or by another version, and are made again.`,
        ]
      : []),
    ...(gone > 0
      ? [
          `${gone} trials that are done are no longer part of "${name}": they stay in the store. With another name it would be another experiment.`,
        ]
      : []),
  ];
}
