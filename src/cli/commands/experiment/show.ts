import { z } from "zod";
import { AntidoteError } from "../../../core/errors.ts";
import {
  EXPERIMENT_SHOW_SCHEMA_VERSION,
  type ExperimentShowRecord,
} from "../../../experiments/grid/documents.ts";
import { snapshotOf, warnOfDamage } from "../../../experiments/grid/snapshot.ts";
import { ResultStore } from "../../../experiments/grid/store.ts";
import { outcomeInWords } from "../../../experiments/grid/words.ts";
import { command } from "../../command.ts";
import { columns } from "../../help.ts";
import { STORE_OPTION } from "./shared.ts";

/** The trials of a store, or one of them. */
export const experimentShow = command({
  name: "experiment show",
  summary: "list the trials of a store, or show one with all that is known of it",
  description:
    "Lists every trial of a store with its outcome. With the key of a trial, or its beginning: its config, outcome, versions and machine.",
  argument: { name: "trial", description: "key of a trial, or its beginning", optional: true },
  options: z.strictObject({ ...STORE_OPTION }),
  slots: {},
  examples: [
    { line: "antidote experiment show --store results/", purpose: "every trial in a line" },
    {
      line: "antidote experiment show 3fa9 --store results/",
      purpose: "one trial with its config",
    },
  ],

  async run({ argument, options, emit }) {
    const store = ResultStore.existing(options.store);
    const { labels, records, damaged } = await snapshotOf(store);
    const keys = (await store.keys()).filter((key) => key.startsWith(argument));
    if (keys.length === 0 && argument !== "") {
      throw new AntidoteError("DATA_NOT_FOUND", `The store has no trial ${argument}.`, {
        place: options.store,
        next: "List them: leave the key out.",
      });
    }
    const wrong = damaged.filter(({ key }) => argument === "" || key?.startsWith(argument));
    // Whoever asks for one trial is told what is wrong with it.
    if (argument !== "" && keys.length === 1 && wrong[0]) throw wrong[0].error;
    warnOfDamage(emit, wrong);
    const trials = keys.flatMap((key) => {
      const record = records.get(key);
      return record ? [{ label: labels.get(key) ?? "", record }] : [];
    });
    trials.sort((a, b) => a.label.localeCompare(b.label, "en", { numeric: true }));
    const document: ExperimentShowRecord = {
      schemaVersion: EXPERIMENT_SHOW_SCHEMA_VERSION,
      document: "experiment show",
      trials,
    };
    const [only] = trials;
    const text =
      argument !== "" && only && trials.length === 1
        ? `${only.label}\n${outcomeInWords(only.record)}\n${JSON.stringify(only.record, null, 2)}`
        : columns(
            trials.map(({ label, record }) => [
              record.key.slice(0, 8),
              `${label}: ${outcomeInWords(record)}`,
            ]),
          );
    return { document, text, exitCode: 0 };
  },
});
