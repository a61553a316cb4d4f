import { z } from "zod";
import { auditFields } from "../../audit/record.ts";
import { drop, type Frozen, natural, proportion, share, text } from "../../audit/record-parts.ts";
import { ERROR_CODES, type ErrorCode } from "../../core/errors.ts";
import { trialConfig, trialKey } from "./trial.ts";

/** Raised whenever a field of this document is added, removed or changes its meaning. */
export const TRIAL_SCHEMA_VERSION = 2;

const judged = {
  accuracy: proportion.describe("Accuracy on clean test images (CDA)."),
  attackSuccess: proportion
    .nullable()
    .describe(
      "Share of the test images of other classes that the trigger leads to the target (ASR); null for a clean model.",
    ),
};

const judgement = z.strictObject(judged);

const point = z.strictObject({
  step: natural.describe("Step of the repair; 0 is the suspect."),
  loss: z.number().nullable().describe("Loss of that step; null for the suspect."),
  estimatedDrop: drop
    .nullable()
    .describe(
      "The defender's estimate of the drop, over views of held-out trusted images; null for the suspect.",
    ),
  ...judged,
});

export const modelOutcome = z.strictObject({
  kind: z.literal("model"),
  ...judged,
  marked: natural.describe("Number of marked training images, before any was left out."),
  filtered: z
    .strictObject({
      images: natural.describe("Images that the sanitizer looked at."),
      removed: natural.describe("Images that it left out."),
      poisoned: natural.describe("Poisoned images among all, without covers."),
      removedPoisoned: natural.describe("Poisoned images among those left out."),
      separation: share
        .nullable()
        .describe(
          "ROC AUC of its scores, poisoned against other images of the same label; null without any.",
        ),
    })
    .nullable()
    .describe("What a sanitizer did; null without one."),
});

export const repairOutcome = z.strictObject({
  kind: z.literal("repair"),
  before: judgement.describe("The suspect."),
  curve: z.array(point).min(1).describe("Every checkpoint, the suspect first."),
  oracle: point.describe(
    "Lowest ASR within the allowed drop, chosen with test data as in the paper.",
  ),
  deployable: point.describe("The point that a defender ships, chosen without test data."),
  deployed: judgement.describe(
    "The shipped model in service, with the defence at inference time if there is one.",
  ),
  claimed: z.boolean().describe("Whether the defender takes that point's drop to be allowed."),
  keptDrop: z
    .boolean()
    .describe("Whether what is shipped, in service, keeps the allowed drop on test images."),
  stopped: text.nullable().describe("Why it ended before its last step; null if it did not."),
});

export const detectionOutcome = z.strictObject({
  kind: z.literal("detection"),
  statistic: text.describe("What the score is, in words."),
  score: z.number().describe("Score of the model; larger is more suspicious."),
  classes: z
    .array(
      z.strictObject({
        target: natural.describe("The class."),
        score: z.number().describe("Its score."),
        found: z.boolean().describe("Whether a trigger was found that works."),
        size: z.number().describe("Size of that trigger."),
        success: z
          .strictObject({ suspect: proportion, repaired: proportion })
          .describe("Success on held-out images, on the suspect and on the repaired model."),
        kept: proportion.describe(
          "Share that the repaired model classifies rightly under the trigger.",
        ),
      }),
    )
    .describe("Evidence for every class."),
  fidelity: z
    .strictObject({
      cosine: z.number().describe("Cosine between the changes of an image, in [−1,1]."),
      iou: share.describe("Changed pixels that both have, over those that one has."),
      psnr: z.number().describe("Of the images marked with one against the other, in dB."),
    })
    .nullable()
    .describe(
      "Likeness of the trigger found for the true target to the true one; null for a clean model, and where none is searched.",
    ),
});

/** Why a trial has no outcome. */
export const trialFailure = z.strictObject({
  key: trialKey.describe("The trial."),
  code: z.enum(ERROR_CODES as [ErrorCode, ...ErrorCode[]]).describe("Code of the error."),
  message: text.describe("What went wrong."),
  next: text.nullable().describe("What can be done about it."),
});

/** What the store keeps of a trial. */
export const trialRecord = z.strictObject({
  schemaVersion: z.literal(TRIAL_SCHEMA_VERSION).describe("Version of this document's schema."),
  document: z.literal("trial").describe("Kind of this document."),
  key: trialKey.describe("Identifies the trial: made of its config and the version."),
  config: trialConfig.describe("All that the outcome depends on."),
  outcome: z
    .discriminatedUnion("kind", [modelOutcome, repairOutcome, detectionOutcome])
    .describe("What came out."),
  model: text
    .regex(/^models\/[0-9a-f]{20}\.onnx$/)
    .nullable()
    .describe("Path of the model within the store; null if none is kept."),
  trigger: text
    .regex(/^triggers\/[0-9a-f]{20}\.png$/)
    .nullable()
    .describe("Path of the picture of the most suspicious trigger; null if there is none."),
  ...auditFields.pick({ versions: true, hardware: true, startedAt: true, duration: true }).shape,
  ...auditFields.pick({ stages: true, peakMemory: true }).shape,
});

export type TrialFailure = Frozen<z.infer<typeof trialFailure>>;
export type TrialRecord = Frozen<z.infer<typeof trialRecord>>;
export type ModelOutcome = Frozen<z.infer<typeof modelOutcome>>;
export type RepairOutcome = Frozen<z.infer<typeof repairOutcome>>;
export type DetectionOutcome = Frozen<z.infer<typeof detectionOutcome>>;
export type Outcome = TrialRecord["outcome"];

/** What was found for the class that has the score. */
export function leadingOf({ classes, score }: Pick<DetectionOutcome, "classes" | "score">) {
  return classes.find((one) => one.score === score);
}
