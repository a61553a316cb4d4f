import { z } from "zod";
import { writeText } from "../../core/write-file.ts";
import {
  STORE_REPORT_SCHEMA_VERSION,
  type StoreReportRecord,
} from "../../experiments/grid/documents.ts";
import { warnOfDamage } from "../../experiments/grid/snapshot.ts";
import { ResultStore } from "../../experiments/grid/store.ts";
import { bytes } from "../../report/format.ts";
import { storeContents } from "../../report/store/contents.ts";
import { storePage } from "../../report/store/store-page.ts";
import { visible } from "../../report/visible.ts";
import { command } from "../command.ts";
import { columns } from "../help.ts";
import { grouped } from "../options/shared.ts";

/** A result store as a page. */
export const report = command({
  name: "report",
  summary: "write a result store as one page: every experiment, table, figure and trial",
  description:
    "Writes one self-contained HTML page over a result store: tables of all trials that can be sorted, the tables and figures of the paper whose experiments it has, and every trial with its config, its curve or scores, the trigger found, versions and machine. The page loads nothing from any network.",
  argument: { name: "store", description: "folder of the result store" },
  options: z.strictObject({
    ...grouped("Results:", {
      out: z
        .string()
        .min(1)
        .default("antidote-results.html")
        .describe("file to write")
        .meta({ placeholder: "html" }),
    }),
  }),
  slots: {},
  examples: [
    {
      line: "antidote report results/ --out results.html",
      purpose: "a page to read and to pass on",
    },
  ],

  async run({ argument, options: { out }, emit }) {
    const contents = await storeContents(ResultStore.existing(argument));
    warnOfDamage(emit, contents.damaged);
    const page = storePage(contents);
    await writeText(out, page);
    const document: StoreReportRecord = {
      schemaVersion: STORE_REPORT_SCHEMA_VERSION,
      document: "report",
      ...{ store: argument, page: out, bytes: Buffer.byteLength(page) },
      experiments: contents.plans.map(({ experiment }) => experiment.name),
      trials: contents.records.size,
      reproduced: contents.artefacts.map(({ scale, reproduced }) => ({
        ...{ name: reproduced.name, scale: scale.name },
      })),
    };
    const { experiments, trials, reproduced } = document;
    const text = columns([
      ["experiments", String(experiments.length)],
      ["trials", String(trials)],
      [
        "of the paper",
        reproduced.map(({ name, scale }) => `${name} (${scale})`).join(", ") || "none",
      ],
      ["page", `${visible(out)}, ${bytes(document.bytes)}`],
    ]);
    return { document, text, exitCode: 0 };
  },
});
