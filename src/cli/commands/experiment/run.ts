import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { z } from "zod";
import { about } from "../../../audit/estimate.ts";
import {
  EXPERIMENT_RUN_SCHEMA_VERSION,
  type ExperimentRunRecord,
} from "../../../experiments/grid/documents.ts";
import { readExperiment } from "../../../experiments/grid/experiment-file.ts";
import { runExperiment } from "../../../experiments/grid/run-experiment.ts";
import { visible } from "../../../report/visible.ts";
import { command } from "../../command.ts";
import { columns } from "../../help.ts";
import { grouped, MOST_THREADS } from "../../options/shared.ts";
import { DRY_RUN_OPTION, dryRun } from "./dry-run.ts";
import {
  FILE_ARGUMENT,
  FILE_DETAILS,
  incomplete,
  SHARD_OPTION,
  STORE_OPTION,
  shardOf,
} from "./shared.ts";

/** Where trials run. */
export const WORKER_OPTIONS = grouped("Machine:", {
  workers: z
    .int()
    .min(1)
    .max(MOST_THREADS)
    .optional()
    .describe(
      "processes that run trials at the same time (default: one per processor and its threads)",
    ),
  threads: z
    .int()
    .min(1)
    .max(MOST_THREADS)
    .default(1)
    .describe(
      "threads of each of them; with other numbers of threads results differ in their last digits",
    ),
  device: z.enum(["cpu", "webgpu"]).default("cpu").describe("where to compute"),
});

export function workersOf({ workers, threads }: { workers?: number | undefined; threads: number }) {
  return workers ?? Math.max(1, Math.floor(availableParallelism() / threads));
}

/** Runs the trials of an experiment. */
export const experimentRun = command({
  name: "experiment run",
  summary: "run every trial of an experiment that the store does not have yet",
  description:
    "Trains clean and poisoned models, repairs and searches them, and keeps a record of every trial in the result store. One model serves all defences that are tried on it, and a trial that any experiment has run before is not run again. Stopped by Ctrl-C or SIGTERM it keeps what is under way and exits with 75; killed at any moment, the same command goes on. Under Slurm arrays and Kubernetes Indexed Jobs every job takes its part.",
  argument: FILE_ARGUMENT,
  options: z.strictObject({
    ...STORE_OPTION,
    ...grouped("Data:", {
      root: z
        .string()
        .optional()
        .describe("folder that the paths in the file are meant from (default: its own)")
        .meta({ placeholder: "dir" }),
    }),
    ...SHARD_OPTION,
    ...DRY_RUN_OPTION,
    ...WORKER_OPTIONS,
  }),
  slots: {},
  details: FILE_DETAILS,
  examples: [
    {
      line: "antidote experiment run grid.yaml --store results/",
      purpose: "run a grid; the same command goes on after a stop",
    },
    {
      line: "antidote experiment run grid.yaml --store results/ --dry-run",
      purpose: "how many trials that would be, and how long they would take",
    },
    {
      line: "antidote experiment run grid.yaml --store results/ --shard 1/4",
      purpose: "the first quarter of it, on one of four machines",
    },
  ],

  async run({ argument, options, signal, emit }) {
    const { store, device, threads, root: folder = dirname(argument) } = options;
    const plan = await readExperiment(argument, folder);
    const shard = shardOf(options, emit);
    const how = { folder, store, shard, device, threads, workers: workersOf(options) };
    if (options.dryRun) {
      return await dryRun({ signal, emit }, [{ name: plan.name, plans: [plan] }], how);
    }
    const result = await runExperiment({ signal, emit }, { plan, ...how });
    const document: ExperimentRunRecord = {
      schemaVersion: EXPERIMENT_RUN_SCHEMA_VERSION,
      document: "experiment run",
      experiment: plan.name,
      store,
      ...result,
    };
    return { document, text: inWords(document), exitCode: 0, failure: incomplete(result) };
  },
});

function inWords({
  experiment,
  store,
  known,
  ran,
  failed,
  blocked,
  duration,
}: ExperimentRunRecord) {
  return columns([
    ["experiment", experiment],
    ["trials", `${ran} run in ${about(duration).replace("about ", "")}, ${known} known before`],
    ...(failed.length > 0 ? [["failed", String(failed.length)] as const] : []),
    ...(blocked.length > 0 ? [["blocked", String(blocked.length)] as const] : []),
    ["store", visible(store)],
  ]);
}
