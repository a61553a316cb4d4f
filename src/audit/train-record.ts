import { z } from "zod";
import { ARCHITECTURE } from "../models/fresh.ts";
import { PRETRAINED } from "../models/pretrained.ts";
import { TRAINING } from "../train/config.ts";
import {
  aids,
  type Frozen,
  hardware,
  method,
  natural,
  proportion,
  text,
  versions,
} from "./record-parts.ts";

/** Raised whenever a field of this document is added, removed or changes its meaning. */
export const TRAIN_SCHEMA_VERSION = 4;

const epoch = z.strictObject({
  epoch: z.int().min(1).describe("Number of the epoch, from 1."),
  loss: z.number().describe("Mean training loss."),
  trainingAccuracy: proportion.describe("Accuracy on the training images as augmented."),
  heldOutAccuracy: proportion
    .optional()
    .describe("Accuracy on the held-out images after the epoch; absent if there are none."),
});

/** What `antidote train --json` prints and `train.json` holds. */
export const trainRecord = z.strictObject({
  schemaVersion: z.literal(TRAIN_SCHEMA_VERSION).describe("Version of this document's schema."),
  document: z.literal("train").describe("Kind of this document."),
  model: text.describe("Path of the trained ONNX file."),
  checkpoint: text.describe("Path of the last checkpoint."),
  images: z
    .strictObject({
      source: text.describe('Path as the user gave it, or "procedural".'),
      count: natural.describe("Number of images, copies of poisoned ones included."),
      classes: z.array(text).describe("Class names in label order."),
    })
    .describe("The training images."),
  poison: z
    .strictObject({
      attack: method.describe("The attack."),
      ...aids,
      target: natural.describe("Class that marked images are labelled as."),
      samples: natural.describe("Number of marked images."),
      boost: natural.describe("How often each of them occurs."),
      embed: text.describe("Whether they were marked before or after augmentation."),
      indices: z.array(natural).describe("Their positions in the clean set."),
      covers: z.array(natural).describe("Those of them that kept their true label."),
    })
    .nullable()
    .describe("What was poisoned, here or before by `antidote poison`; null for clean images."),
  codePoisoning: z
    .strictObject({
      attack: method.describe("The attack on the training itself."),
      ...aids,
      target: natural.describe("Class that triggered images shall be taken for."),
    })
    .nullable()
    .describe("The attack on the training procedure; null if there was none."),
  history: z.array(epoch).describe("Every epoch, in order."),
  network: z
    .union([
      ARCHITECTURE.describe("A new network."),
      z
        .strictObject({
          file: text.describe("Path as the user gave it."),
          ...PRETRAINED.shape,
          newHead: z.boolean().describe("Whether its last layer was replaced for other classes."),
        })
        .describe("A trained classifier that training went on from."),
    ])
    .describe("What training began with."),
  config: TRAINING.describe("Resolved options of training."),
  memory: z
    .number()
    .nullable()
    .describe("GiB that a step was to keep within, in parts if need be; null without a limit."),
  seed: z.int().describe("Root seed: the same seed, versions and threads repeat the result."),
  versions: versions.describe("Software that this ran with."),
  hardware: hardware.describe("Machine that this ran on."),
  duration: z.number().min(0).describe("Seconds from start to end, of this run alone."),
});

export type TrainRecord = Frozen<z.infer<typeof trainRecord>>;
