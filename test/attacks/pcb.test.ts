import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { AlternatingSteps, pcb, sampleWeights } from "../../src/attacks/pcb.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { type FloatTensor, float32, sizeOf, tensor } from "../../src/core/tensor.ts";
import { ascending, batchTensors, subset } from "../../src/data/images.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { predict } from "../../src/models/predict.ts";
import { TRAINING } from "../../src/train/config.ts";
import { train } from "../../src/train/loop.ts";
import { testDevice } from "../support/device.ts";
import { noise } from "../support/networks.ts";
import { stripes } from "../train/stripes.ts";
import { tinyNet } from "../train/tiny.ts";

interface Golden {
  readonly loss: number;
  readonly weights: Readonly<Record<string, readonly number[]>>;
}

const device = await testDevice();
const [{ steps }] = (
  JSON.parse(readFileSync(new URL("goldens/pcb.json", import.meta.url), "utf8")) as {
    readonly cases: [{ readonly steps: readonly Golden[] }];
  }
).cases;

const BATCH = 8;
const TARGET = 1n;

/** Every third element of a tensor, from an offset that is its name's length. */
function everyThird(model: Classifier): Map<string, FloatTensor> {
  return new Map(
    [...model.weights].map(([name, { shape }]) => [
      name,
      float32(
        shape,
        Float32Array.from({ length: sizeOf(shape) }, (_, i) => ((i + name.length) % 3 ? 0 : 1)),
      ),
    ]),
  );
}

describe("three alternating steps", () => {
  it("agree with PyTorch, and the triggered ones leave all other weights bit by bit", async () => {
    const model = await Classifier.fromGraph(tinyNet(8), device);
    const sampled = everyThird(model);
    const set = noise(ascending(3 * BATCH).map((i) => (i * i) % 5));
    const step = await AlternatingSteps.compile(device, model, BATCH, sampled);
    let before = await step.read();
    for (const [i, expected] of steps.entries()) {
      const rows = ascending(BATCH).map((row) => i * BATCH + row);
      const { images, labels } = batchTensors(set, rows);
      const clean = i % 2;
      // The other half of a triggered batch has no labels: it takes part in the statistics alone.
      const wrong = tensor("int64", [BATCH / 2], new BigInt64Array(BATCH / 2).fill(TARGET));
      const feeds = { images, labels: clean ? labels : wrong };
      const loss = await step.run(clean ? "clean" : "triggered", feeds, 0.01);
      expect(loss).toBeCloseTo(expected.loss, 4);
      const after = await step.read();
      for (const [name, value] of after) {
        const [now, then] = [value.data as Float32Array, before.get(name)!.data as Float32Array];
        // Adam divides by the size of a slope: one that is nothing but rounding moves a weight, too.
        const apart = now.map((v, at) => Math.abs(v - expected.weights[name]![at]!));
        expect(Math.max(...apart), `${name} after step ${i + 1}`).toBeLessThan(1e-4);
        if (clean) continue;
        const may = sampled.get(name)?.data;
        const strays = now.filter((v, at) => !may?.[at] && !Object.is(v, then[at]));
        expect(strays.length, `${name} after step ${i + 1}`).toBe(0);
      }
      before = after;
    }
    await step.release();
  });
});

describe("sampleWeights", () => {
  const weights = new Map([
    ["a", float32([10, 10], new Float32Array(100))],
    ["b", float32([25], new Float32Array(25))],
  ]);
  const chosen = (sampling: "model" | "tensor", seed: number) =>
    [...sampleWeights(weights, { fraction: 0.2, sampling }, Random.fromSeed(seed)).values()].map(
      ({ data }) => data.reduce((sum, v) => sum + v, 0),
    );

  it("chooses exactly the fraction, over the model or of every tensor", () => {
    for (const seed of ascending(20)) {
      const [a, b] = chosen("model", seed) as [number, number];
      expect(a + b).toBe(25);
      expect(chosen("tensor", seed)).toEqual([20, 5]);
    }
    expect(new Set(ascending(20).map((seed) => chosen("model", seed)[0])).size).toBeGreaterThan(2);
  });
});

describe("pcb", () => {
  it("refuses a class that does not exist before it trains anything", async () => {
    const images = stripes(4, 1);
    const context = { device, random: Random.fromSeed(2), emit: silent };
    const attempt = pcb.run(context, { images, classes: 2, target: 2 }, pcb.config.parse({}));
    await expect(attempt).rejects.toMatchObject({ code: "INVALID_CONFIG", place: "target" });
  });

  it("plants a backdoor that was not there, at little cost", async () => {
    const images = stripes(400, 1);
    const context = { device, random: Random.fromSeed(2), emit: silent };
    const surrogate = await Classifier.fromGraph(tinyNet(8, 2), device);
    const config = TRAINING.parse({
      epochs: 12,
      batch: 32,
      learningRate: 0.1,
      padding: 1,
      flip: false,
    });
    const { classifier: start } = await train(context, { classifier: surrogate, images }, config);
    const options = pcb.config.parse({
      iterations: 1001,
      fraction: 0.5,
      learningRate: 0.01,
      batch: 32,
      epsilon: 0.2,
      stepSize: 0.05,
    });
    const input = { surrogate, images, classes: 2, target: 0 };
    const { trigger, train: poisoned } = await pcb.run(context, input, options);
    const model = await poisoned(start);
    const test = stripes(200, 2);
    const lying = subset(
      test,
      ascending(200).filter((row) => test.labels[row] === 1),
    );
    const success = async (of: Classifier) => {
      const { classes } = await predict(device, of, lying, { stamp: trigger.stampTest });
      return classes.filter((k) => k === 0).length / classes.length;
    };
    const { classes } = await predict(device, model, test);
    const right = classes.filter((k, row) => k === test.labels[row]).length;
    // So small a network has room for little else than its task.
    expect(right / 200).toBeGreaterThan(0.8);
    expect(await success(start)).toBeLessThan(0.2);
    expect(await success(model)).toBeGreaterThan(0.6);
    await trigger.release?.();
  });
});
