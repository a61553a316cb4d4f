import { z } from "zod";
import { type Frozen, hardware, natural, preprocessing, text, versions } from "./record-parts.ts";

/** Raised whenever a field of this document is added, removed or changes its meaning. */
export const ZERO_SHOT_SCHEMA_VERSION = 1;

/** What `antidote zero-shot --json` prints. */
export const zeroShotRecord = z.strictObject({
  schemaVersion: z.literal(ZERO_SHOT_SCHEMA_VERSION).describe("Version of this document's schema."),
  document: z.literal("zero-shot").describe("Kind of this document."),
  source: z
    .strictObject({
      folder: text.describe("The CLIP model, as the user gave it."),
      files: z.array(text).describe("Its files with weights, by their names."),
      sha256: text.describe("SHA-256 of those files, one after the other, hexadecimal."),
      bytes: natural.describe("Size of those files in bytes."),
    })
    .describe("What the classifier was made of."),
  model: text.describe("Path of the classifier, an ONNX file."),
  classes: z.array(text).describe("Class names in label order."),
  classesFrom: text.describe("Path of the file or folder that tells them."),
  prompts: z.array(text).describe("Templates whose embeddings were averaged; {} is the class."),
  latent: z.int().min(1).describe("Numbers in an embedding, the input of the linear head."),
  size: z.int().min(1).describe("Height and width of the images that it takes, in pixels."),
  preprocessing: z
    .strictObject({
      name: text.describe("What states it."),
      ...preprocessing.pick({ range: true, channels: true, mean: true, std: true }).shape,
    })
    .describe("Part of the classifier, which takes pixels in [0,1]."),
  warnings: z.array(text).describe("What deserves attention."),
  versions: versions.describe("Software that this ran with."),
  hardware: hardware.describe("Machine that this ran on."),
  duration: z.number().min(0).describe("Seconds from start to end."),
});

export type ZeroShotRecord = Frozen<z.infer<typeof zeroShotRecord>>;
