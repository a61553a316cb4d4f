import { z } from "zod";
import {
  classReference,
  data,
  drop,
  type Frozen,
  hardware,
  interval,
  method,
  model,
  natural,
  options,
  preprocessing,
  proportion,
  share,
  text,
  versions,
} from "./record-parts.ts";

/** Raised whenever a field of the audit's document is added, removed or changes its meaning. */
export const AUDIT_SCHEMA_VERSION = 6;

export const VERDICTS = ["backdoored", "no-evidence", "inconclusive"] as const;
export type Verdict = (typeof VERDICTS)[number];

const rule = z
  .strictObject({
    statistic: text.describe(
      'Name of the statistic that scores a class, e.g. "success-difference".',
    ),
    description: text.describe("What the statistic measures, in one sentence."),
    minimum: z.number().describe("Smallest value that it can take."),
    maximum: z.number().describe("Largest value that it can take."),
    noEvidenceBelow: z.number().describe("Scores below this are no evidence of a backdoor."),
    backdooredFrom: z.number().describe("Scores from this on are evidence of a backdoor."),
  })
  .refine(
    (r) =>
      r.minimum <= r.noEvidenceBelow &&
      r.noEvidenceBelow <= r.backdooredFrom &&
      r.backdooredFrom <= r.maximum,
    "thresholds must be ordered and lie in [minimum, maximum]",
  );

const success = z.strictObject({
  suspect: proportion.describe(
    "Share of other classes' held-out images that it turns into this class on the suspect.",
  ),
  repaired: proportion.describe("The same share of the repaired model, under the same trigger."),
});

/** What a found trigger does to an image. */
export const TRIGGER_KINDS = ["blend", "add", "warp", "illustration"] as const;
export type TriggerKind = (typeof TRIGGER_KINDS)[number];

const classResult = z.strictObject({
  ...classReference.shape,
  score: z.number().describe("The rule's statistic for this class, over all repeats."),
  scoreInterval: interval
    .nullable()
    .describe("95 % interval of the score from the repeats; null if it was measured once."),
  repeats: z.array(z.number()).min(1).describe("The score in every repeat."),
  success: success.describe("How often the trigger found for this class works."),
  trigger: text
    .nullable()
    .describe(
      "Picture of the found trigger, relative to the report's folder; null if not written.",
    ),
  kind: z
    .enum(TRIGGER_KINDS)
    .describe(
      "What it does to an image: it is laid over it, added to it, or bends it; an illustration is no trigger but shows what else was found.",
    ),
});

const prediction = z.strictObject({
  ...classReference.shape,
  probability: share.describe("Softmax probability that the model gives to this class."),
});

const predictions = z.strictObject({
  suspect: prediction.describe("What the suspect answers."),
  repaired: prediction.describe("What the repaired model answers."),
});

const sample = z.strictObject({
  label: classReference.describe("True class of the image."),
  original: text.describe("Picture of the trusted image."),
  triggered: text.describe("The same with the found trigger."),
  difference: text.describe("Their difference, amplified around middle grey."),
  onOriginal: predictions.describe("Answers to the original."),
  onTriggered: predictions.describe("Answers to the image with the trigger."),
});

const curvePoint = z.strictObject({
  step: natural.describe("Optimiser steps taken; 0 is the suspect."),
  heldOutAccuracy: proportion.describe("Accuracy on trusted images that the repair did not see."),
  loss: z.number().nullable().describe("Training loss since the last point; null at step 0."),
  chosen: z.boolean().describe("Whether this checkpoint became the repaired model."),
});

const calibration = z.strictObject({
  classes: z
    .strictObject({
      deviations: z
        .number()
        .describe("Standard deviations by which the leading class stands out among the others."),
      p: share.describe(
        "Probability of that for the most extreme of all classes, if the others are a normal sample.",
      ),
      sample: natural.describe(
        "Number of the others: all examined ones, after a screening those drawn at random.",
      ),
      among: natural.describe("Number of classes that the leading one is the most extreme of."),
    })
    .nullable()
    .describe(
      "The other classes as a null; null with fewer than four classes, or if the others are alike.",
    ),
  repaired: z
    .strictObject({
      score: z.number().describe("Score of the repaired model, searched anew."),
      target: classReference.describe("Its leading class."),
    })
    .nullable()
    .describe("The repaired model as a null; null unless the suspect looks backdoored."),
  references: z
    .array(
      z.strictObject({
        file: text.describe("Name of the file of a model that is known to be clean."),
        score: z.number().describe("Its score."),
        accuracy: proportion.describe("Its accuracy on the trusted images."),
      }),
    )
    .describe("Clean models as a null."),
  power: z
    .strictObject({
      copies: natural.describe("Copies of the suspect that a backdoor was to be planted in."),
      planted: z
        .array(
          z.strictObject({
            target: classReference.describe("Class that the planted trigger leads to."),
            score: z.number().describe("Score of the poisoned copy."),
            found: z.boolean().describe("Whether it was called backdoored, with that class."),
          }),
        )
        .describe("Those that learned it."),
      found: proportion
        .nullable()
        .describe("Share of them in which it was found; null if none learned it."),
    })
    .nullable()
    .describe("What the search would find; null if not measured, or a backdoor was found."),
});

const screening = z
  .strictObject({
    survivors: z
      .array(classReference)
      .describe("Classes that it picked for the full search, the likeliest target first."),
    controls: z
      .array(classReference)
      .describe("Classes drawn at random from all, searched in full to tell what is usual."),
    screenedOut: z
      .array(natural)
      .describe("Indices of the classes that were not searched in full, the likeliest first."),
  })
  .nullable();

/** The fields of the audit's document; documents about parts of an audit share some of them. */
export const auditFields = z.strictObject({
  schemaVersion: z.literal(AUDIT_SCHEMA_VERSION).describe("Version of this document's schema."),
  document: z.literal("audit").describe("Kind of this document."),

  verdict: z
    .enum(VERDICTS)
    .describe("The outcome. No evidence is not proof of absence: see notTested."),
  targetClass: classReference
    .nullable()
    .describe("The class that the backdoor leads to; null unless the verdict is backdoored."),
  score: z.number().describe("The model's score: that of the target class, else the largest."),
  scoreInterval: interval
    .nullable()
    .describe("95 % interval of that score; null if measured once."),
  rule: rule.describe("How scores become a verdict."),
  reasons: z.array(text).min(1).describe("The evidence for the verdict, in plain words."),
  calibration: calibration.describe("What such a score means on this model."),
  classes: z
    .array(classResult)
    .min(1)
    .describe("Every class that was searched in full, by index; screening names the others."),

  accuracy: z
    .strictObject({
      before: proportion.describe("Of the suspect."),
      after: proportion.describe("Of the repaired model."),
    })
    .describe("Accuracy on trusted images held out from the repair."),
  repairedModel: text
    .nullable()
    .describe("Path of the repaired ONNX file; null if none was written."),
  report: text.nullable().describe("Path of the report page; null if none was written."),
  repair: z
    .strictObject({
      allowedDrop: share.describe("Largest drop of accuracy at which a checkpoint is deployable."),
      deployable: z
        .boolean()
        .describe(
          "Whether its drop on held-out images, less a standard error, is within that one.",
        ),
      drop: drop.describe(
        "Drop of accuracy from the suspect to the repaired model, over all views of held-out images.",
      ),
      views: z
        .int()
        .min(1)
        .describe(
          "Views of each held-out image, itself among them, moved and mirrored; 1 where the suspect does not take them for the same.",
        ),
      stopped: text
        .nullable()
        .describe("Why the repair ended before its last step; null if it did not."),
      curve: z.array(curvePoint).min(1).describe("The checkpoints of the repair, by step."),
    })
    .describe("How the repaired model came about."),
  samples: z.array(sample).describe("Trusted images that show the strongest trigger at work."),
  differenceGain: z.number().positive().describe("Amplification of the difference pictures."),

  screening: screening.describe("The cheap search of all classes that came before the full one."),
  warnings: z.array(text).describe("What weakens the result."),
  covered: z.array(text).describe("What was tested, in plain words."),
  notTested: z.array(text).min(1).describe("What was not tested, in plain words."),

  model: model.describe("The suspect."),
  data: data.describe("The trusted images."),
  preprocessing: preprocessing.describe("How images were prepared for the model."),
  config: z
    .strictObject({
      effort: z.enum(["quick", "standard", "thorough"]).describe("How much work was allowed."),
      audit: options.describe("Resolved options of the audit itself."),
      repair: method.describe("The repair."),
      detector: method.describe("The detector."),
    })
    .describe("Resolved options of everything that ran."),
  seed: z.int().describe("Root seed: the same seed, versions and threads repeat the result."),
  versions: versions.describe("Software that the audit ran with."),
  hardware: hardware.describe("Machine that the audit ran on."),
  startedAt: z.iso.datetime().describe("When the audit began, UTC."),
  duration: z.number().min(0).describe("Seconds from start to end."),
  stages: z
    .array(
      z.strictObject({
        name: text.describe("Name of the stage."),
        seconds: z.number().min(0).describe("How long it took."),
      }),
    )
    .describe("Where the time went, in order."),
  peakMemory: natural.describe("Largest resident memory of all processes together, in bytes."),
});

/** The result of an audit, as a value in code. */
export type AuditRecord = Frozen<z.infer<typeof auditFields>>;
export type { ClassReference } from "./record-parts.ts";
export type ClassResult = AuditRecord["classes"][number];
export type Sample = AuditRecord["samples"][number];

/** The class whose trigger works best: the target class, or the strongest candidate for one. */
export function leadingClass<Class extends Pick<ClassResult, "index" | "score">>({
  targetClass,
  classes,
}: {
  readonly targetClass: AuditRecord["targetClass"];
  readonly classes: readonly Class[];
}): Class {
  const target = classes.find(({ index }) => index === targetClass?.index);
  return target ?? classes.reduce((best, next) => (next.score > best.score ? next : best));
}

/** What a summary and its details must agree on, each with what to say where they do not. */
type Outcome = {
  readonly verdict: Verdict;
  readonly targetClass: AuditRecord["targetClass"];
  readonly score: number;
  readonly classes: readonly Pick<ClassResult, "index" | "score">[];
};
type Agreement = readonly [check: (outcome: Outcome) => boolean, message: string];

export const TARGET_GIVEN: Agreement = [
  ({ verdict, targetClass }) => (verdict === "backdoored") === (targetClass !== null),
  "targetClass must be given exactly for the verdict backdoored",
];
export const TARGET_EXAMINED: Agreement = [
  ({ targetClass, classes }) =>
    targetClass === null || classes.some(({ index }) => index === targetClass.index),
  "targetClass must be one of the classes",
];
export const SCORE_LEADS: Agreement = [
  (record) => record.score === leadingClass(record).score,
  "score must be that of the leading class",
];

/**
 * The schema of an audit's document: what `antidote audit --json` prints and `report.json` holds.
 * Shares are in [0,1], times in seconds, sizes in bytes, intervals at 95 %. It also refuses a document
 * whose summary contradicts its details.
 */
export const auditRecord = auditFields
  .refine(...TARGET_GIVEN)
  .refine(...TARGET_EXAMINED)
  .refine(...SCORE_LEADS)
  .refine(
    ({ repair }) => repair.curve.filter(({ chosen }) => chosen).length === 1,
    "exactly one checkpoint must be chosen",
  );
