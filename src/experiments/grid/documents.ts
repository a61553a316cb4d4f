import { z } from "zod";
import { type Frozen, natural, text } from "../../audit/record-parts.ts";
import { EXPORT_FORMATS } from "./export.ts";
import { trialKey } from "./trial.ts";
import { trialFailure, trialRecord } from "./trial-record.ts";

/* What the commands around experiments print with --json. */

/** The part of experiments that a command is about. */
export const partRecord = z
  .strictObject({
    position: z.int().min(1).describe("Which part, from 1."),
    of: z.int().min(1).describe("Number of parts."),
  })
  .nullable()
  .describe("The part that runs alone; null for all.");

/** Raised whenever a field of this document is added, removed or changes its meaning. */
export const EXPERIMENT_RUN_SCHEMA_VERSION = 1;

/** What `antidote experiment run --json` prints. */
export const experimentRunRecord = z.strictObject({
  schemaVersion: z
    .literal(EXPERIMENT_RUN_SCHEMA_VERSION)
    .describe("Version of this document's schema."),
  document: z.literal("experiment run").describe("Kind of this document."),
  experiment: text.describe("Name of the experiment."),
  store: text.describe("Folder of the result store."),
  known: natural.describe("Trials that the store had before."),
  ran: natural.describe("Trials that were run."),
  failed: z.array(trialFailure).describe("Trials that failed."),
  blocked: z.array(text).describe("Trials that need one that has failed."),
  duration: z.number().min(0).describe("Seconds from start to end."),
});

export type ExperimentRunRecord = Frozen<z.infer<typeof experimentRunRecord>>;

export const FORECAST_SCHEMA_VERSION = 1;

const ahead = {
  trials: natural.describe("Trials, each once."),
  missing: natural.describe("Those that would be run."),
  seconds: z.number().min(0).describe("How long they would take, in seconds."),
  anew: z.number().min(0).describe("How long all would take from an empty store, in seconds."),
};

/** What commands that run trials print with --dry-run --json. */
export const forecastRecord = z.strictObject({
  schemaVersion: z.literal(FORECAST_SCHEMA_VERSION).describe("Version of this document's schema."),
  document: z.literal("forecast").describe("Kind of this document."),
  store: text.describe("Folder of the result store."),
  workers: natural.describe("Processes that would run trials at the same time."),
  part: partRecord,
  ...ahead,
  groups: z
    .array(
      z.strictObject({
        name: text.describe("Name of the experiment, table or figure."),
        ...ahead,
      }),
    )
    .describe("Each alone: trials that several of them have count in each."),
});

export type ForecastRecord = Frozen<z.infer<typeof forecastRecord>>;

export const EXPERIMENT_STATUS_SCHEMA_VERSION = 2;

/** What `antidote experiment status --json` prints. */
export const experimentStatusRecord = z.strictObject({
  schemaVersion: z
    .literal(EXPERIMENT_STATUS_SCHEMA_VERSION)
    .describe("Version of this document's schema."),
  document: z.literal("experiment status").describe("Kind of this document."),
  store: text.describe("Folder of the result store."),
  experiments: z
    .array(
      z.strictObject({
        name: text.describe("Name of the experiment."),
        trials: natural.describe("All its trials."),
        done: natural.describe("Those that are done."),
        failed: z.array(trialFailure).describe("Those that failed and are not done since."),
        seconds: z.number().min(0).describe("Time that the done ones took, added up."),
      }),
    )
    .describe("Every experiment of the store."),
  damaged: z
    .array(
      z.strictObject({
        key: trialKey.nullable().describe("The trial; null for what is known of an experiment."),
        file: text.describe("The file."),
        message: text.describe("What is wrong with it."),
        next: text.nullable().describe("What to do about it."),
      }),
    )
    .describe("Files of the store that cannot be read; what they would say is missing above."),
});

export type ExperimentStatusRecord = Frozen<z.infer<typeof experimentStatusRecord>>;

export const EXPERIMENT_SHOW_SCHEMA_VERSION = 1;

/** What `antidote experiment show --json` prints. */
export const experimentShowRecord = z.strictObject({
  schemaVersion: z
    .literal(EXPERIMENT_SHOW_SCHEMA_VERSION)
    .describe("Version of this document's schema."),
  document: z.literal("experiment show").describe("Kind of this document."),
  trials: z
    .array(z.strictObject({ label: text.describe("What it is."), record: trialRecord }))
    .describe("The trials that were asked for."),
});

export type ExperimentShowRecord = Frozen<z.infer<typeof experimentShowRecord>>;

export const STORE_REPORT_SCHEMA_VERSION = 1;

/** What `antidote report --json` prints. */
export const storeReportRecord = z.strictObject({
  schemaVersion: z
    .literal(STORE_REPORT_SCHEMA_VERSION)
    .describe("Version of this document's schema."),
  document: z.literal("report").describe("Kind of this document."),
  store: text.describe("Folder of the result store."),
  page: text.describe("The page that was written."),
  bytes: natural.describe("Size of the page."),
  experiments: z.array(text).describe("Names of the experiments that it shows."),
  trials: natural.describe("Trials that the store has."),
  reproduced: z
    .array(
      z.strictObject({
        name: text.describe("As `antidote reproduce` names it."),
        scale: text.describe("Scale of its experiments."),
      }),
    )
    .describe("Tables and figures of the paper that it shows."),
});

export type StoreReportRecord = Frozen<z.infer<typeof storeReportRecord>>;

export const EXPERIMENT_EXPORT_SCHEMA_VERSION = 1;

/** What `antidote experiment export --json` prints. */
export const experimentExportRecord = z.strictObject({
  schemaVersion: z
    .literal(EXPERIMENT_EXPORT_SCHEMA_VERSION)
    .describe("Version of this document's schema."),
  document: z.literal("experiment export").describe("Kind of this document."),
  store: text.describe("Folder of the result store."),
  format: z.enum(EXPORT_FORMATS).describe("Format of the table."),
  out: text.describe("File that was written."),
  trials: natural.describe("Number of its rows."),
});

export type ExperimentExportRecord = Frozen<z.infer<typeof experimentExportRecord>>;

export const EXPERIMENT_MERGE_SCHEMA_VERSION = 1;

/** What `antidote experiment merge --json` prints. */
export const experimentMergeRecord = z.strictObject({
  schemaVersion: z
    .literal(EXPERIMENT_MERGE_SCHEMA_VERSION)
    .describe("Version of this document's schema."),
  document: z.literal("experiment merge").describe("Kind of this document."),
  store: text.describe("Folder of the result store that took them over."),
  from: z.array(text).describe("Folders of the other stores."),
  added: natural.describe("Trials that were taken over."),
  same: natural.describe("Trials that were there already with the same outcome."),
  different: z
    .array(trialKey)
    .describe("Trials that were there already with another outcome, which stays."),
});

export type ExperimentMergeRecord = Frozen<z.infer<typeof experimentMergeRecord>>;
