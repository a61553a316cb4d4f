import { z } from "zod";
import { type Frozen, model, preprocessing, text } from "./record-parts.ts";

/** Raised whenever a field of this document is added, removed or changes its meaning. */
export const INSPECT_SCHEMA_VERSION = 2;

const operator = z.strictObject({
  ...model.shape.operators.element.shape,
  gradient: z
    .enum(["yes", "not-needed", "no"])
    .describe(
      "Whether gradients can pass it; not-needed: its result does not vary smoothly with its input, or only sizes are computed with it.",
    ),
});

/** What `antidote inspect --json` prints. */
export const inspectRecord = z.strictObject({
  schemaVersion: z.literal(INSPECT_SCHEMA_VERSION).describe("Version of this document's schema."),
  document: z.literal("inspect").describe("Kind of this document."),
  model: z.strictObject({
    ...model.shape,
    operators: z.array(operator).describe("Operators of the graph, the most frequent first."),
  }),
  image: z
    .strictObject({
      channels: z.int().min(1).describe("1 for grey, 3 for colour."),
      height: z.int().min(1).describe("In pixels."),
      width: z.int().min(1).describe("In pixels."),
    })
    .describe("Size of the images that the model takes."),
  output: z
    .enum(["logits", "probabilities", "log-probabilities"])
    .describe(
      "What the file returns: the logits, or what a final Softmax or LogSoftmax makes of them.",
    ),
  head: z
    .strictObject({
      op: z.enum(["Gemm", "MatMul", "Conv"]).describe("Its operator."),
      weight: text.describe("Name of its weight."),
    })
    .describe("The last linear layer, between latent and logits."),
  labels: z
    .array(text)
    .nullable()
    .describe("Class names that the model's maker states; null if none fit the model."),
  labelsFrom: text.nullable().describe("What states them, in words; null without labels."),
  stated: z
    .array(
      z.strictObject({
        name: text.describe("What states it, with the name of the usual preprocessing that it is."),
        ...preprocessing.pick({ range: true, channels: true, mean: true, std: true }).shape,
      }),
    )
    .describe("Preprocessings that the model's maker states, by precedence; trials decide."),
  sizing: text
    .nullable()
    .describe("How the maker brings pictures to the model's size, in words; null if not stated."),
  warnings: z
    .array(text)
    .describe("What does not fit together, and what else lies in the model's folder."),
  metadata: z.record(z.string(), z.string()).describe("The file's free-form entries."),
  auditable: z.boolean().describe("Whether every operator on the way can be differentiated."),
  blockedBy: z.array(text).describe("Nodes between image and logits that cannot."),
});

export type InspectRecord = Frozen<z.infer<typeof inspectRecord>>;
