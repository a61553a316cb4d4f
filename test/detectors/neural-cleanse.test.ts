import { describe, expect, test } from "vitest";
import { float32 } from "../../src/core/tensor.ts";
import type { Overlay } from "../../src/data/overlay.ts";
import { neuralCleanse } from "../../src/detectors/neural-cleanse.ts";
import { maskedFamily } from "../../src/inversion/trigger-family.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { watched } from "../support/contract.ts";
import { testDevice } from "../support/device.ts";
import { noise, plainNet } from "../support/networks.ts";

const device = await testDevice();
const model = await Classifier.fromGraph(plainNet(8), device);
const labels = Array.from({ length: 20 }, (_, i) => i % 5);
const input = { model, repaired: model, search: noise(labels), heldOut: noise(labels) };

function run(options: object) {
  const config = neuralCleanse.config.parse({ steps: 8, images: 4, ...options });
  return neuralCleanse.run(watched(device, 0).context, input, config);
}

describe("Neural Cleanse", () => {
  test("measures an additive trigger by ‖T‖₁, and a heavier λ_N makes it smaller", async () => {
    const { classes } = await run({});
    for (const { trigger, size } of classes) {
      const norm = (trigger as Overlay).add.data.reduce((sum, value) => sum + Math.abs(value), 0);
      expect(size).toBeCloseTo(norm, 4);
    }
    const heavier = await run({ normWeight: 2 });
    for (const [at, { size }] of heavier.classes.entries()) {
      expect(size).toBeLessThan(classes[at]!.size);
    }
  });

  test("counts median deviations below the median class", async () => {
    const { statistic, classes } = await run({});
    expect(statistic).toBe("anomaly-index");
    const sizes = classes.map(({ size }) => size);
    const middle = (values: number[]) => values.toSorted((a, b) => a - b)[2]!; // of five
    const median = middle(sizes);
    const mad = middle(sizes.map((size) => Math.abs(size - median)));
    for (const { score, size } of classes) {
      expect(score).toBeCloseTo((median - size) / (1.4826 * mad), 9);
    }
  });

  test("or standard deviations below the mean class", async () => {
    const { statistic, classes } = await run({ score: "normal-test" });
    expect(statistic).toBe("normal-test");
    const sizes = classes.map(({ size }) => size);
    const mean = sizes.reduce((sum, size) => sum + size, 0) / 5;
    const sd = Math.sqrt(sizes.reduce((sum, size) => sum + (size - mean) ** 2, 0) / 4);
    for (const { score, size } of classes) expect(score).toBeCloseTo((mean - size) / sd, 9);
  });

  test("scores 0 where no mask has worked often enough to be kept", async () => {
    const { classes } = await run({ form: "masked", steps: 3 });
    expect(classes.map(({ found }) => found)).toContain(false);
    for (const { found, score } of classes) if (!found) expect(score).toBe(0);
  });

  test("says that its masks move half as fast as those of the original", () => {
    // σ(a) = (tanh(a/2) + 1)/2: a step of Adam, as long for any scale of a, is half as long for a/2.
    const values = new Map([
      ["mask", float32([1, 1, 1, 1], [0.7])],
      ["pattern", float32([1, 1, 1, 1], [0])],
    ]);
    const { keep } = maskedFamily().trigger(values, 0, { channels: 1, height: 1, width: 1 });
    expect(1 - keep.data[0]!).toBeCloseTo((Math.tanh(0.7 / 2) + 1) / 2, 6);
    expect(neuralCleanse.source.deviations.join()).toMatch(/tanh.* half as fast/);
  });
});
