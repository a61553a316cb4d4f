import { type Sizes, workOf } from "../../audit/estimate.ts";
import type { Work } from "../../audit/stages.ts";
import { count } from "../../data/images.ts";
import type { Detector } from "../../detectors/detector.ts";
import { DETECTORS } from "../../detectors/index.ts";
import { REPAIRS } from "../../repairs/index.ts";
import type { Repair } from "../../repairs/repair.ts";
import type { Images } from "./materials.ts";
import { configuredIn, type Methods } from "./methods.ts";
import type { DetectionTrial, ModelTrial, RepairTrial, TrialConfig } from "./trial.ts";

/*
 * How much work a trial is, in forward passes of one image through the network of its experiment. Good to a factor
 * of two; the time left comes from how fast the trials so far went.
 */

/** Forward passes that a training step takes per image: forward and backward to weights and activations. */
const TRAINING_STEP = 4;

/** The stages of a trial with their work. */
export function workOfTrial(config: TrialConfig, images: Images): Map<string, Work> {
  switch (config.kind) {
    case "model":
      return workOfModel(config, images);
    case "repair":
      return workOfRepair(config, images);
    case "detection":
      return workOfDetection(config, images);
  }
}

/** All of it. */
export function amountOf(work: ReadonlyMap<string, Work>): number {
  return [...work.values()].reduce((sum, { amount }) => sum + amount, 0);
}

function workOfModel(
  { training, poisoning }: ModelTrial,
  { train, test }: Images,
): Map<string, Work> {
  const { epochs, batch } = training;
  const copies = poisoning ? (poisoning.boost - 1) * poisoning.samples : 0;
  const shown = epochs * (count(train) + copies);
  return new Map([
    ["training", { amount: shown * TRAINING_STEP, steps: Math.ceil(shown / batch) }],
    ["judge", { amount: 2 * count(test), steps: 1 }],
  ]);
}

function workOfRepair(
  { repair, trusted, heldOut }: RepairTrial,
  images: Images,
): Map<string, Work> {
  const judged = 2 * count(images.test);
  const configured = configuredIn("repair", REPAIRS as Methods<Repair>, repair);
  if (!configured) return new Map([["repair", { amount: 2 * judged, steps: 1 }]]);
  const { amount, steps } = workOf(
    { repair: configured, repeats: 1 },
    sizesFor(images, trusted, heldOut),
  ).get("repair")!;
  const { steps: tuned = 0, checkpointEvery = 50 } = configured.config as {
    readonly steps?: number;
    readonly checkpointEvery?: number;
  };
  const checkpoints = 1 + Math.ceil(tuned / checkpointEvery);
  return new Map([["repair", { amount: amount + checkpoints * judged, steps }]]);
}

function workOfDetection(
  { detector, trusted, heldOut }: DetectionTrial,
  images: Images,
): Map<string, Work> {
  const configured = configuredIn("detector", DETECTORS as Methods<Detector>, detector)!;
  const work = workOf({ detector: configured, repeats: 1 }, sizesFor(images, trusted, heldOut));
  const steps = [...work.values()].reduce((sum, stage) => sum + stage.steps, 0);
  return new Map([["detect", { amount: amountOf(work), steps }]]);
}

function sizesFor({ train }: Images, trusted: number, heldOut: number): Sizes {
  const held = Math.round(heldOut * trusted);
  return { classes: train.classNames.length, tuning: trusted - held, heldOut: held };
}
