import { z } from "zod";
import { writeAtomically } from "../../../core/write-file.ts";
import {
  EXPERIMENT_EXPORT_SCHEMA_VERSION,
  type ExperimentExportRecord,
} from "../../../experiments/grid/documents.ts";
import { EXPORT_FORMATS, exportRows } from "../../../experiments/grid/export.ts";
import { rowsOf } from "../../../experiments/grid/rows.ts";
import { snapshotOf, warnOfDamage } from "../../../experiments/grid/snapshot.ts";
import { ResultStore } from "../../../experiments/grid/store.ts";
import { visible } from "../../../report/visible.ts";
import { command } from "../../command.ts";
import { grouped } from "../../options/shared.ts";
import { STORE_OPTION } from "./shared.ts";

/** The trials of a store as a table. */
export const experimentExport = command({
  name: "experiment export",
  summary: "write the trials of a store as a table for notebooks",
  description:
    "Writes one row per trial, with the same columns for all kinds of trials; rates are shares in [0,1]. test_acc and test_asr are those of the model, or of what a defender ships.",
  options: z.strictObject({
    ...STORE_OPTION,
    ...grouped("Results:", {
      format: z.enum(EXPORT_FORMATS).default("csv").describe("format of the table"),
      out: z.string().min(1).describe("file to write").meta({ placeholder: "file" }),
    }),
  }),
  slots: {},
  examples: [
    {
      line: "antidote experiment export --store results/ --format parquet --out trials.parquet",
      purpose: "a table for pandas, polars or DuckDB",
    },
  ],

  async run({ options: { store, format, out }, emit }) {
    const snapshot = await snapshotOf(ResultStore.existing(store));
    warnOfDamage(emit, snapshot.damaged);
    const rows = rowsOf(snapshot);
    const left = snapshot.records.size - rows.length;
    if (left > 0) {
      const message = `${left} trials are left out: what their models are is not known any more.`;
      emit({ kind: "warning", stage: "store", message });
    }
    await writeAtomically(out, [{ offset: 0, bytes: exportRows(rows, format) }]);
    const document: ExperimentExportRecord = {
      ...{
        schemaVersion: EXPERIMENT_EXPORT_SCHEMA_VERSION,
        document: "experiment export",
        store,
        format,
        out,
      },
      trials: rows.length,
    };
    return { document, text: `${rows.length} trials in ${visible(out)}`, exitCode: 0 };
  },
});
