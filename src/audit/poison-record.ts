import { z } from "zod";
import { aids, type Frozen, hardware, method, natural, text, versions } from "./record-parts.ts";

/** Raised whenever a field of this document is added, removed or changes its meaning. */
export const POISON_SCHEMA_VERSION = 1;

/** What `antidote poison --json` prints, and what `poison.json` beside the images holds. */
export const poisonRecord = z.strictObject({
  schemaVersion: z.literal(POISON_SCHEMA_VERSION).describe("Version of this document's schema."),
  document: z.literal("poison").describe("Kind of this document."),
  folder: text.describe("Folder with one folder of images for each class."),
  images: z
    .strictObject({
      source: text.describe('Path of the clean images as the user gave it, or "procedural".'),
      count: natural.describe("Number of images in the folder, copies included."),
      height: natural.describe("Height of every image in pixels."),
      width: natural.describe("Width of every image in pixels."),
      classes: z.array(text).describe("Class names in label order."),
    })
    .describe("The images."),
  poison: z
    .strictObject({
      attack: method.describe("The attack."),
      ...aids,
      target: natural.describe("Class that marked images shall be taken for."),
      samples: natural.describe("Number of marked images."),
      boost: natural.describe("How often each of them occurs."),
      embed: text.describe("Whether they were marked before or after augmentation."),
    })
    .describe("What was done to them."),
  marked: z
    .array(
      z.strictObject({
        files: z.array(text).describe("The image and its copies, below the folder."),
        index: natural.describe("Its position in the clean set."),
        label: natural.describe("Its class in the folder."),
        trueLabel: natural.describe("Its class in the clean set."),
      }),
    )
    .describe("Every marked image."),
  seed: z.int().describe("Root seed: the same seed marks the same images alike."),
  versions: versions.describe("Software that this ran with."),
  hardware: hardware.describe("Machine that this ran on."),
  duration: z.number().min(0).describe("Seconds from start to end."),
});

export type PoisonRecord = Frozen<z.infer<typeof poisonRecord>>;
