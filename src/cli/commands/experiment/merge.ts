import { z } from "zod";
import { AntidoteError } from "../../../core/errors.ts";
import {
  EXPERIMENT_MERGE_SCHEMA_VERSION,
  type ExperimentMergeRecord,
} from "../../../experiments/grid/documents.ts";
import { mergeInto } from "../../../experiments/grid/merge.ts";
import { snapshotOf, warnOfDamage } from "../../../experiments/grid/snapshot.ts";
import { ResultStore } from "../../../experiments/grid/store.ts";
import { command } from "../../command.ts";
import { grouped } from "../../options/shared.ts";
import { STORE_OPTION } from "./shared.ts";

/** Joins stores that parts of an experiment were run with. */
export const experimentMerge = command({
  name: "experiment merge",
  summary: "join stores that parts of an experiment were run with",
  description:
    "Takes the trials of other stores over into one. A trial that several have must have the same outcome; where it has not, the first one stays and the others are named.",
  options: z.strictObject({
    ...STORE_OPTION,
    ...grouped("Results:", {
      from: z
        .array(z.string().min(1))
        .min(1)
        .describe("stores to take trials from")
        .meta({ placeholder: "dir,…" }),
    }),
  }),
  slots: {},
  examples: [
    {
      line: "antidote experiment merge --from part1/,part2/ --store all/",
      purpose: "one store of two parts",
    },
  ],

  async run({ options: { store: folder, from }, emit }) {
    const sources = from.map((path) => ResultStore.existing(path));
    const store = await ResultStore.open(folder);
    let [added, same] = [0, 0];
    const different: string[] = [];
    for (const source of sources) {
      const merged = await mergeInto(store, source);
      added += merged.added;
      same += merged.same;
      different.push(...merged.different);
      warnOfDamage(emit, merged.damaged);
    }
    warnOfDamage(emit, (await snapshotOf(store)).damaged);
    const document: ExperimentMergeRecord = {
      ...{
        schemaVersion: EXPERIMENT_MERGE_SCHEMA_VERSION,
        document: "experiment merge",
        store: folder,
        from,
      },
      ...{ added, same, different },
    };
    const text = `${added} trials added, ${same} were there already`;
    if (different.length === 0) return { document, text, exitCode: 0 };
    const failure = new AntidoteError(
      "DATA_INVALID",
      `${different.length} trials have another outcome than in the store: ${different.join(", ")}.`,
      {
        place: folder,
        next: "Compare threads, machine and versions: `antidote experiment show KEY`.",
      },
    );
    return { document, text, exitCode: 0, failure };
  },
});
