import { z } from "zod";
import { auditFields, SCORE_LEADS, TARGET_EXAMINED, TARGET_GIVEN } from "./record.ts";
import { type Frozen, method, options, proportion } from "./record-parts.ts";

/** Raised whenever a field of this document is added, removed or changes its meaning. */
export const DETECT_SCHEMA_VERSION = 4;

const { classes, config } = auditFields.shape;
const { success, ...examined } = classes.element.omit({ trigger: true, kind: true }).shape;

/** What `antidote detect --json` prints: the verdict of an audit without its folder and repaired model. */
export const detectRecord = z
  .strictObject({
    schemaVersion: z.literal(DETECT_SCHEMA_VERSION).describe("Version of this document's schema."),
    document: z.literal("detect").describe("Kind of this document."),
    ...auditFields.pick({
      verdict: true,
      targetClass: true,
      score: true,
      scoreInterval: true,
      rule: true,
      reasons: true,
      calibration: true,
    }).shape,
    classes: z
      .array(
        z.strictObject({
          ...examined,
          success: z
            .strictObject({
              suspect: success.shape.suspect,
              repaired: success.shape.repaired
                .nullable()
                .describe("The same share of the repaired copy; null if none was needed."),
            })
            .describe("How often the trigger found for this class works."),
        }),
      )
      .min(1)
      .describe("Every class that was examined, by index."),
    accuracy: proportion.describe("Accuracy of the model on held-out trusted images."),
    ...auditFields.pick({ screening: true, warnings: true, covered: true, notTested: true }).shape,
    ...auditFields.pick({ model: true, data: true, preprocessing: true }).shape,
    config: z
      .strictObject({
        effort: config.shape.effort,
        detect: options.describe("Resolved options of the detection itself."),
        detector: method.describe("The detector."),
        repair: method
          .nullable()
          .describe("The repair that made the copy to compare with; null if none was needed."),
      })
      .describe("Resolved options of everything that ran."),
    ...auditFields.pick({ seed: true, versions: true, hardware: true }).shape,
    ...auditFields.pick({ startedAt: true, duration: true, stages: true, peakMemory: true }).shape,
  })
  .refine(...TARGET_GIVEN)
  .refine(...TARGET_EXAMINED)
  .refine(...SCORE_LEADS);

export type DetectRecord = Frozen<z.infer<typeof detectRecord>>;
