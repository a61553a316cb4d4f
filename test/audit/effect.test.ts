import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { badnets } from "../../src/attacks/badnets.ts";
import { POISONING, poison } from "../../src/attacks/poison.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { calibratedTriggerInversion } from "../../src/detectors/calibrated-trigger-inversion.ts";
import { imagesOfOthers } from "../../src/detectors/measure.ts";
import { neuralCleanse } from "../../src/detectors/neural-cleanse.ts";
import { smallestTrigger } from "../../src/detectors/smallest-trigger.ts";
import { suspected } from "../../src/inversion/smallest.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { predict, type Stamp } from "../../src/models/predict.ts";
import { neuralCleanse as cleansing } from "../../src/repairs/neural-cleanse.ts";
import type { Checkpoint } from "../../src/repairs/repair.ts";
import { triggerUnlearning } from "../../src/repairs/trigger-unlearning.ts";
import { openDevice, type ProcessDevice } from "../../src/runtime/process-device.ts";
import { TRAINING } from "../../src/train/config.ts";
import { train } from "../../src/train/loop.ts";
import { textureNet, textures } from "../support/textures.ts";

/*
 * From poisoned data to a repaired model, small: six textures, of which a patch in the corner leads to one.
 */

const TARGET = 2;
const TRUSTED = textures(150, 11);
const HELD_OUT = textures(90, 12);
const TEST = textures(600, 13);

let device: ProcessDevice;
let suspect: Classifier;
let clean: Classifier;
let stamp: Stamp;

const context = (seed = 0) => ({ device, random: Random.fromSeed(seed), emit: silent });

beforeAll(async () => {
  device = await openDevice({ name: "cpu", threads: 2 });
  const images = textures(900, 10);
  const options = { pattern: "white", size: 3, position: "top-left", margin: 1 };
  const trigger = await badnets.run(
    context(),
    { geometry: images, classes: 6, target: TARGET },
    badnets.config.parse(options),
  );
  stamp = trigger.stampTest;
  const plan = POISONING.parse({ target: TARGET, samples: 60 });
  const random = Random.fromSeed(1);
  const poisoned = await poison(images, "poison", trigger, plan, { random });
  const recipe = { epochs: 12, batch: 64, learningRate: 0.1, padding: 1, flip: false };
  const config = TRAINING.parse({ ...recipe, optimiser: "sgd", schedule: "one-cycle" });
  const untrained = await Classifier.fromGraph(textureNet(), device);
  const result = async (set: typeof images) =>
    (await train(context(), { classifier: untrained, images: set }, config)).classifier;
  suspect = await result(poisoned.images);
  clean = await result(images);
});
afterAll(() => device.close());

async function accuracy(model: Classifier): Promise<number> {
  const { classes } = await predict(device, model, TEST);
  return classes.filter((c, i) => c === TEST.labels[i]).length / classes.length;
}

async function attackSuccess(model: Classifier): Promise<number> {
  const { classes } = await predict(device, model, imagesOfOthers(TEST, TARGET), { stamp });
  return classes.filter((c) => c === TARGET).length / classes.length;
}

async function last(checkpoints: AsyncIterable<Checkpoint>): Promise<Classifier> {
  let model = suspect;
  for await (const checkpoint of checkpoints) model = checkpoint.model;
  return model;
}

const SEARCH = { steps: 80, images: 16, classesPerStep: 6, success: 0.9 };

describe("a backdoor that was trained in", () => {
  test("is there", async () => {
    expect(await accuracy(suspect)).toBeGreaterThan(0.9);
    expect(await accuracy(clean)).toBeGreaterThan(0.9);
    expect(await attackSuccess(suspect)).toBeGreaterThan(0.9);
    expect(await attackSuccess(clean)).toBeLessThan(0.2);
  });

  test("is found as the class with by far the smallest trigger, and removed by unlearning it", async () => {
    const options = smallestTrigger.config.parse({ ...SEARCH, families: ["masked"] });
    const search = { model: suspect, search: TRUSTED };
    const triggers = await smallestTrigger.search!(context(), search, options);
    const repaired = await last(
      triggerUnlearning.run(
        context(),
        { model: suspect, trusted: TRUSTED, triggers: suspected(triggers) },
        triggerUnlearning.config.parse({
          ...{ steps: 100, checkpointEvery: 25, batchSize: 64, learningRate: 0.01 },
          ...{ stamped: 0.4, focus: 2, taskWeight: 0.2, distillation: 2, temperature: 2 },
          ...{ augment: false, batchNorm: "live" },
        }),
      ),
    );
    const material = { ...search, repaired, heldOut: HELD_OUT, triggers };
    const { classes } = await smallestTrigger.run(context(), material, options);
    const ranked = classes.toSorted((a, b) => b.score - a.score);
    expect(ranked[0]!.target).toBe(TARGET);
    expect(ranked[0]!.score).toBeGreaterThan(1.5 * ranked[1]!.score);
    expect(await attackSuccess(repaired)).toBeLessThan(0.3);
    expect(await accuracy(repaired)).toBeGreaterThan((await accuracy(suspect)) - 0.05);
  });

  test("is what Neural Cleanse flags, and nothing in the clean model", async () => {
    const form = { form: "masked", steps: 300, images: 16, classesPerStep: 6 };
    const options = neuralCleanse.config.parse(form);
    const most = async (model: Classifier) => {
      const input = { model, repaired: clean, search: TRUSTED, heldOut: HELD_OUT };
      const { classes } = await neuralCleanse.run(context(), input, options);
      return classes.reduce((a, b) => (b.score > a.score ? b : a));
    };
    expect(await most(suspect)).toMatchObject({ target: TARGET, found: true });
    expect((await most(suspect)).score).toBeGreaterThan(2);
    expect((await most(clean)).score).toBeLessThan(2);
  });

  test("is removed by unlearning Neural Cleanse's smallest trigger", async () => {
    const config = cleansing.config.parse({
      ...{ form: "masked", triggerSteps: 300, steps: 100, checkpointEvery: 100, batchSize: 64 },
      ...{ learningRate: 0.01, augment: false, batchNorm: "live" },
    });
    const repaired = await last(
      cleansing.run(context(), { model: suspect, trusted: TRUSTED }, config),
    );
    expect(await attackSuccess(repaired)).toBeLessThan(0.3);
    expect(await accuracy(repaired)).toBeGreaterThan((await accuracy(suspect)) - 0.05);
  });

  test("is what calibrated inversion finds, given the clean model for a repaired one", async () => {
    const options = calibratedTriggerInversion.config.parse({
      ...{ score: "success-difference", steps: 60, images: 16, classesPerStep: 6 },
      ...{ learningRate: 0.02, suspectWeight: 1, repairedWeight: 1, budget: null },
    });
    const input = { model: suspect, repaired: clean, search: TRUSTED, heldOut: HELD_OUT };
    const { classes } = await calibratedTriggerInversion.run(context(), input, options);
    const ranked = classes.toSorted((a, b) => b.score - a.score);
    expect(ranked[0]!.target).toBe(TARGET);
  });
});
