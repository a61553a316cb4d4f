import { z } from "zod";
import {
  EXPERIMENT_STATUS_SCHEMA_VERSION,
  type ExperimentStatusRecord,
} from "../../../experiments/grid/documents.ts";
import { keptPlans, ResultStore } from "../../../experiments/grid/store.ts";
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
    const failures = await store.failures();
    const experiments = [];
    for (const { experiment, trials } of await keptPlans(store)) {
      const done = trials.filter(({ key }) => store.has(key));
      const own = new Set(trials.map(({ key }) => key));
      const records = await Promise.all(done.map(({ key }) => store.read(key)));
      experiments.push({
        name: experiment.name,
        trials: trials.length,
        done: done.length,
        failed: failures.filter(({ key }) => own.has(key)),
        seconds: records.reduce((sum, { duration }) => sum + duration, 0),
      });
    }
    const document: ExperimentStatusRecord = {
      schemaVersion: EXPERIMENT_STATUS_SCHEMA_VERSION,
      document: "experiment status",
      store: options.store,
      experiments,
    };
    return { document, text: inWords(document), exitCode: 0 };
  },
});

function inWords({ experiments }: ExperimentStatusRecord): string {
  if (experiments.length === 0) return "No experiment has been run with this store.";
  return experiments
    .map(({ name, trials, done, failed, seconds }) => {
      const hours = (seconds / 3600).toFixed(1);
      const lines = columns([
        ["done", `${done} of ${trials} trials, ${hours} hours of work`],
        ...failed.map(
          ({ key, code, message }) => ["failed", `${key} ${code}: ${message}`] as const,
        ),
      ]);
      return `${name}\n${lines}`;
    })
    .join("\n\n");
}
