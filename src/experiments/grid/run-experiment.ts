import { AntidoteError } from "../../core/errors.ts";
import type { RunContext } from "../../runtime/context.ts";
import { choicesOf } from "./choices.ts";
import { expand } from "./expand.ts";
import { type Experiment, sourceOf } from "./experiment-file.ts";
import { readImages } from "./materials.ts";
import { keepPlan, outgrown } from "./plans.ts";
import type { WorkerOptions } from "./protocol.ts";
import { type GridResult, runGrid } from "./run-grid.ts";
import { partOf, type Shard } from "./shard.ts";
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
}

/**
 * Runs an experiment, or a part of it, as far as the store does not have it yet.
 * @throws `PAUSED`; the errors of `choicesOf`, `readImages`, `expand` and `runGrid`
 */
export async function runExperiment(
  events: Pick<RunContext, "emit" | "signal">,
  { plan, folder, store: stored, workers, shard, device, threads }: ExperimentRun,
): Promise<GridResult & { readonly duration: number }> {
  const started = performance.now();
  // Reading images may take a while: what can be wrong without them is found first.
  choicesOf(plan);
  const source = sourceOf(plan, folder);
  const images = await readImages(source, events).catch((cause: unknown) => {
    throw cause instanceof AntidoteError && cause.code === "CANCELLED" ? paused(cause) : cause;
  });
  const trials = expand(plan, images);
  const store = await ResultStore.open(stored);
  const kept = { experiment: plan, trials: trials.map(({ family: _, ...trial }) => trial) };
  const { length } = await outgrown(store, kept);
  if (length > 0) {
    const message = `The experiment "${plan.name}" of this store had ${length} other trials that are done: they stay, but are no longer shown as its own. With another \`name\` in the file it is another experiment.`;
    events.emit({ kind: "note", stage: "experiment", message });
  }
  await keepPlan(store, kept);
  const part = shard ? partOf(trials, shard) : trials;
  const result = await runGrid(events, store, images, part, { source, workers, device, threads });
  return { ...result, duration: (performance.now() - started) / 1000 };
}

/** Nothing was under way yet. */
function paused(cause: AntidoteError): AntidoteError {
  return new AntidoteError("PAUSED", "Stopped before the first trial.", {
    next: "Run the same command again.",
    cause,
  });
}
