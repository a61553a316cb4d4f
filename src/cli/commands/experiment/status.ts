import { z } from "zod";
import {
  EXPERIMENT_STATUS_SCHEMA_VERSION,
  type ExperimentStatusRecord,
} from "../../../experiments/grid/documents.ts";
import { snapshotOf } from "../../../experiments/grid/snapshot.ts";
import { ResultStore } from "../../../experiments/grid/store.ts";
import { visible } from "../../../report/visible.ts";
import { command } from "../../command.ts";
import { columns } from "../../help.ts";
import { STORE_OPTION } from "./shared.ts";

/** How far the experiments of a store have come. */
export const experimentStatus = command({
  name: "experiment status",
  summary: "how far the experiments of a store have come",
  description:
    "Lists every experiment that was run with this store: how many of its trials are done, and why others failed. Reads the store alone, also while an experiment is running.",
  options: z.strictObject({ ...STORE_OPTION }),
  slots: {},
  examples: [
    { line: "antidote experiment status --store results/", purpose: "what is done, what failed" },
  ],

  async run({ options }) {
    const store = ResultStore.existing(options.store);
    const { plans, records, failures, damaged } = await snapshotOf(store);
    const experiments = plans.map(({ experiment, trials }) => {
      const done = trials.flatMap(({ key }) => records.get(key) ?? []);
      return {
        name: experiment.name,
        trials: trials.length,
        done: done.length,
        failed: trials.flatMap(({ key }) => failures.get(key) ?? []),
        seconds: done.reduce((sum, { duration }) => sum + duration, 0),
      };
    });
    const document: ExperimentStatusRecord = {
      schemaVersion: EXPERIMENT_STATUS_SCHEMA_VERSION,
      document: "experiment status",
      store: options.store,
      experiments,
      damaged: damaged.map(({ key, error: { place, message, next } }) => ({
        ...{ key, file: place ?? options.store, message, next: next ?? null },
      })),
    };
    return { document, text: inWords(document), exitCode: 0 };
  },
});

function inWords({ experiments, damaged }: ExperimentStatusRecord): string {
  if (experiments.length + damaged.length === 0) {
    return "No experiment has been run with this store.";
  }
  const parts = experiments.map(({ name, trials, done, failed, seconds }) => {
    const hours = (seconds / 3600).toFixed(1);
    const lines = columns([
      ["done", `${done} of ${trials} trials, ${hours} hours of work`],
      ...failed.map(
        ({ key, code, message }) => ["failed", visible(`${key} ${code}: ${message}`)] as const,
      ),
    ]);
    return `${name}\n${lines}`;
  });
  const left = damaged.map(
    ({ file, message, next }) =>
      ["damaged", visible(`${file}. ${message} ${next ?? ""}`.trim())] as const,
  );
  return [...parts, ...(left.length > 0 ? [columns(left)] : [])].join("\n\n");
}
