import { z } from "zod";
import { auditFields } from "./record.ts";
import { classReference, type Frozen, method, options, proportion, text } from "./record-parts.ts";

/** Raised whenever a field of this document is added, removed or changes its meaning. */
export const REPAIR_SCHEMA_VERSION = 4;

/** What `antidote repair --json` prints. */
export const repairRecord = z
  .strictObject({
    schemaVersion: z.literal(REPAIR_SCHEMA_VERSION).describe("Version of this document's schema."),
    document: z.literal("repair").describe("Kind of this document."),
    repairedModel: text
      .nullable()
      .describe("Path of the repaired ONNX file; null if it was not written."),
    ...auditFields.pick({ accuracy: true, repair: true }).shape,
    trigger: z
      .strictObject({
        targetClass: classReference.describe("The class that it leads to."),
        before: proportion.describe("Share of other classes' held-out images that it moves there."),
        after: proportion.describe("The same share of the repaired model."),
      })
      .nullable()
      .describe(
        "The most suspicious trigger that stands out, by which checkpoints were judged; null if none does, and accuracy alone has judged.",
      ),
    ...auditFields.pick({ warnings: true, model: true, data: true, preprocessing: true }).shape,
    config: z
      .strictObject({
        effort: auditFields.shape.config.shape.effort,
        options: options.describe("Resolved options of the choice among checkpoints."),
        repair: method.describe("The repair."),
        search: method.describe("The search for the trigger that judges checkpoints."),
      })
      .describe("Resolved options of everything that ran."),
    ...auditFields.pick({ seed: true, versions: true, hardware: true }).shape,
    ...auditFields.pick({ startedAt: true, duration: true, stages: true, peakMemory: true }).shape,
  })
  .refine(
    ({ repair }) => repair.curve.filter(({ chosen }) => chosen).length === 1,
    "exactly one checkpoint must be chosen",
  );

export type RepairRecord = Frozen<z.infer<typeof repairRecord>>;
