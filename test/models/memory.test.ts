import { describe, expect, test } from "vitest";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { toNumbers } from "../../src/core/tensor.ts";
import { invertTriggers } from "../../src/inversion/invert.ts";
import { searchPlan } from "../../src/inversion/search-plan.ts";
import { smallest } from "../../src/inversion/size-control.ts";
import { Classifier, type Weights } from "../../src/models/classifier.ts";
import { batchFor, imagesFitting, partsOf } from "../../src/models/memory.ts";
import { fineTune } from "../../src/repairs/fine-tune.ts";
import type { RunContext } from "../../src/runtime/context.ts";
import { TRAINING } from "../../src/train/config.ts";
import { train } from "../../src/train/loop.ts";
import { crossEntropy } from "../../src/train/losses.ts";
import { sgd } from "../../src/train/optimisers.ts";
import { constant } from "../../src/train/schedules.ts";
import { testDevice } from "../support/device.ts";
import { noise, plainNet } from "../support/networks.ts";
import { recording } from "../support/recording.ts";

const IMAGES = noise(Array.from({ length: 40 }, (_, i) => i % 5));

const device = await testDevice();
const model = await Classifier.fromGraph(plainNet(8), device);

/** Bytes for so many images in this network. */
async function bytesFor(images: number): Promise<number> {
  const gigabyte = 2 ** 30;
  return ((images + 0.5) * gigabyte) / (await imagesFitting([model], gigabyte));
}

/** A context that notes how many images every run saw. */
function observed(memory?: number) {
  const record = recording(device);
  const context: RunContext = { device: record, random: Random.fromSeed(3), emit: silent, memory };
  return { context, rows: () => record.feeds.map(({ images }) => images!.shape[0]!) };
}

/** The largest difference of a weight. */
function furthest(a: Weights, b: Weights): number {
  const differences = [...a].flatMap(([name, weight]) => {
    const others = toNumbers(b.get(name)!);
    return Array.from(toNumbers(weight), (value, i) => Math.abs(value - others[i]!));
  });
  return Math.max(...differences);
}

describe("the parts of a step", () => {
  test("are equal, and as few as keep within the budget", async () => {
    expect(await partsOf([model], 12, undefined)).toBe(1);
    expect(await partsOf([model], 12, await bytesFor(12))).toBe(1);
    expect(await partsOf([model], 12, await bytesFor(5))).toBe(3);
    expect(await partsOf([model], 12, await bytesFor(1))).toBe(12);
    expect(await partsOf([model], 12, 1)).toBe(12);
    expect(await partsOf([model], 7, await bytesFor(5))).toBe(7);
    expect(await partsOf([model, model], 12, await bytesFor(12))).toBe(2);
  });
});

test("a batch that may be smaller does not fall apart into single images", async () => {
  expect(await batchFor([model], 97, undefined)).toEqual({ size: 97, parts: 1 });
  expect(await batchFor([model], 97, await bytesFor(32))).toEqual({ size: 96, parts: 4 });
  expect(await batchFor([model], 97, 1)).toEqual({ size: 97, parts: 97 });
});

describe("within a budget of memory", () => {
  test("training without batch norm ends with the same weights", async () => {
    const config = TRAINING.parse({ epochs: 2, batch: 8, learningRate: 0.05 });
    const run = async (memory?: number) => {
      const { context, rows } = observed(memory);
      const result = await train(context, { classifier: model, images: IMAGES }, config);
      return { ...result, rows: rows() };
    };
    const [whole, divided] = [await run(), await run(await bytesFor(3))];
    expect(new Set(whole.rows)).toEqual(new Set([8]));
    expect(new Set(divided.rows)).toEqual(new Set([2]));
    expect(divided.rows).toHaveLength(4 * whole.rows.length);
    expect(furthest(divided.classifier.weights, whole.classifier.weights)).toBeLessThan(1e-5);
    expect(divided.history.map(({ trainingAccuracy }) => trainingAccuracy)).toEqual(
      whole.history.map(({ trainingAccuracy }) => trainingAccuracy),
    );
  });

  test("a repair ends with the same weights", async () => {
    const run = async (memory?: number) => {
      const { context, rows } = observed(memory);
      const plan = {
        ...{ stage: "test", steps: 4, batchSize: 8, checkpointEvery: 4, augment: true },
        ...{ batchNorm: "frozen" as const, governed: true, schedule: constant(0.05) },
        optimiser: sgd(),
        loss: (...[b, { student, labels }]: Parameters<Parameters<typeof fineTune>[2]["loss"]>) =>
          b.mean(crossEntropy(b, student.logits, labels)),
      };
      const checkpoints = fineTune(context, { model, trusted: IMAGES }, plan);
      for await (const checkpoint of checkpoints) return { ...checkpoint, rows: rows() };
      throw new Error("there is a checkpoint");
    };
    // Two networks: the one under repair and the suspect.
    const [whole, divided] = [await run(), await run(await bytesFor(8))];
    expect(new Set(divided.rows)).toEqual(new Set([4]));
    expect(furthest(divided.model.weights, whole.model.weights)).toBeLessThan(1e-6);
    expect(furthest(divided.model.weights, model.weights)).toBeGreaterThan(1e-4);
  });

  test("a search shows every class all its images, a part at a time", async () => {
    const effort = { steps: 12, images: 6, classesPerStep: 2 };
    const run = async (memory?: number) => {
      const { context, rows } = observed(memory);
      const plan = searchPlan("masked", IMAGES, effort, (pace) => smallest(0.5, pace));
      const found = await invertTriggers(context, { suspect: model }, IMAGES, [0, 1], plan);
      return { found, rows: rows() };
    };
    const [whole, divided] = [await run(), await run(await bytesFor(4))];
    expect(whole.rows).toEqual(Array.from({ length: 12 }, () => 12));
    expect(divided.rows).toEqual(Array.from({ length: 36 }, () => 4));
    expect(divided.found.map(({ target }) => target)).toEqual([0, 1]);
    // Other images are drawn, so triggers are alike at best.
    divided.found.forEach(({ size }, i) => {
      expect(size / whole.found[i]!.size).toBeGreaterThan(0.5);
      expect(size / whole.found[i]!.size).toBeLessThan(2);
    });
  });
});
