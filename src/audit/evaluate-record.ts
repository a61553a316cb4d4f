import { z } from "zod";
import {
  aids,
  classReference,
  data,
  type Frozen,
  hardware,
  method,
  model,
  natural,
  preprocessing,
  proportion,
  text,
  versions,
} from "./record-parts.ts";

/** Raised whenever a field of this document is added, removed or changes its meaning. */
export const EVALUATE_SCHEMA_VERSION = 3;

const trigger = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("attack"),
    method: method.describe("The attack whose trigger was used."),
    ...aids,
  }),
  z.strictObject({
    kind: z.literal("picture"),
    file: text.describe("Path of the picture as the user gave it."),
    mode: z.enum(["blend", "add"]).describe("Whether it was laid over the image or added to it."),
  }),
]);

/** What `antidote evaluate --json` prints. */
export const evaluateRecord = z
  .strictObject({
    schemaVersion: z
      .literal(EVALUATE_SCHEMA_VERSION)
      .describe("Version of this document's schema."),
    document: z.literal("evaluate").describe("Kind of this document."),
    accuracy: proportion.describe("Share of the images that the model classifies correctly."),
    attackSuccess: proportion
      .nullable()
      .describe(
        "Share of images of other classes that the model takes for the target with the trigger on; null without a trigger.",
      ),
    target: classReference
      .nullable()
      .describe("The class that counts as success; null without a trigger."),
    targetChosenBy: z
      .enum(["flags", "predictions"])
      .nullable()
      .describe("Given, or the class that most images get with the trigger on; null without one."),
    trigger: trigger.nullable().describe("The trigger; null if there was none."),
    model: model.describe("The model."),
    images: z
      .strictObject({
        path: text.describe("Path as the user gave it."),
        count: natural.describe("Number of images."),
        perClass: z.array(natural).describe("Number of images of every class, by class index."),
        ...data.pick({ classOrder: true, sizing: true }).shape,
      })
      .describe("The images."),
    warnings: z.array(text).describe("What weakens the result."),
    preprocessing: preprocessing.describe("How images were prepared for the model."),
    seed: z.int().describe("Root seed."),
    versions: versions.describe("Software that this ran with."),
    hardware: hardware.describe("Machine that this ran on."),
    duration: z.number().min(0).describe("Seconds from start to end."),
  })
  .refine(
    (record) =>
      (record.trigger === null) === (record.attackSuccess === null) &&
      (record.trigger === null) === (record.target === null) &&
      (record.trigger === null) === (record.targetChosenBy === null),
    "attackSuccess, target and targetChosenBy are given exactly if there is a trigger",
  );

export type EvaluateRecord = Frozen<z.infer<typeof evaluateRecord>>;
