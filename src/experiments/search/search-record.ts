import { z } from "zod";
import { auditFields } from "../../audit/record.ts";
import {
  classReference,
  type Frozen,
  method,
  natural,
  options,
  proportion,
  share,
  text,
} from "../../audit/record-parts.ts";
import { trial } from "./trials.ts";

/** Raised whenever a field of this document is added, removed or changes its meaning. */
export const SEARCH_SCHEMA_VERSION = 3;

/** What `antidote search --json` prints and `search.json` holds. */
export const searchRecord = z.strictObject({
  schemaVersion: z.literal(SEARCH_SCHEMA_VERSION).describe("Version of this document's schema."),
  document: z.literal("search").describe("Kind of this document."),
  configFile: text
    .nullable()
    .describe("Path of the file for --config; null if it was not written."),
  best: method.describe("The repair with the best configuration."),
  bestTrial: natural.describe("Position of the best trial in the list."),
  defaultTrial: natural
    .nullable()
    .describe("Position of the last trial of the configuration that the search started from."),
  trials: z.array(trial).describe("Every trial, in the order of the rungs."),
  rungs: z
    .array(
      z.strictObject({
        configurations: natural.describe("Configurations that ran."),
        steps: natural.describe("Steps that each of them ran for."),
      }),
    )
    .describe("The rounds of the search."),
  space: options.describe("Values that were tried, by option."),
  poisoned: z
    .strictObject({
      targetClass: classReference.describe("Class that the planted trigger leads to."),
      success: share.describe("Its success on other classes' held-out images before any repair."),
      accuracy: proportion.describe("Accuracy of the poisoned copy on held-out images."),
    })
    .describe("The copy of the model that was poisoned, and that every trial repairs."),
  warnings: z.array(text).describe("What weakens the result."),
  ...auditFields.pick({ model: true, data: true, preprocessing: true }).shape,
  config: z
    .strictObject({
      repair: method.describe("The repair with the configuration that the search started from."),
      options: options.describe("Resolved options of the search."),
    })
    .describe("Resolved options of everything that ran."),
  ...auditFields.pick({ seed: true, versions: true, hardware: true }).shape,
  ...auditFields.pick({ startedAt: true, duration: true, stages: true, peakMemory: true }).shape,
});

export type SearchRecord = Frozen<z.infer<typeof searchRecord>>;
