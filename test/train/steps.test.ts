import { describe, expect, it } from "vitest";
import type { FloatTensor } from "../../src/core/tensor.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { adam, type Optimiser, sgd } from "../../src/train/optimisers.ts";
import { compileStep } from "../../src/train/step.ts";
import { trainingStep } from "../../src/train/training-step.ts";
import { testDevice } from "../support/device.ts";
import { batch, golden } from "./fill.ts";
import { tinyNet } from "./tiny.ts";

interface GoldenStep {
  loss: number;
  rate: number;
  state: Record<string, number[]>;
}
type Name = "sgd" | "adam" | "adamw";
const expected = golden<Record<Name, GoldenStep[]>>("steps");

const OPTIMISERS: Record<Name, Optimiser> = {
  sgd: sgd({ momentum: 0.9, nesterov: true, weightDecay: 5e-3 }),
  adam: adam({ beta1: 0.8, beta2: 0.95, weightDecay: 1e-2 }),
  adamw: adam({ weightDecay: 1e-1, decoupled: true }),
};

// PyTorch's values are float64. Ours are float32 sums of up to 500 terms, amplified by the steps.
const TOLERANCE = 2e-6;

const device = await testDevice();

describe("three steps with live batch norm and label smoothing agree with PyTorch", () => {
  it.each(Object.keys(OPTIMISERS) as Name[])("%s", async (name) => {
    const classifier = await Classifier.fromGraph(tinyNet(8), device);
    const definition = await trainingStep(classifier, 8, OPTIMISERS[name], 0.05);
    const step = await compileStep(device, definition);
    for (const [seed, { loss, rate, state }] of expected[name].entries()) {
      const result = await step.run({ ...batch(seed, 8, 8, 5) }, rate);
      expect(Math.abs(result.loss - loss)).toBeLessThan(TOLERANCE);
      const values = await step.read();
      expect([...values.keys()].sort()).toEqual(Object.keys(state).sort());
      for (const [key, tensor] of values) {
        const difference = (tensor as FloatTensor).data.map((v, i) =>
          Math.abs(v - state[key]![i]!),
        );
        expect(Math.max(...difference), `${key} after step ${seed + 1}`).toBeLessThan(TOLERANCE);
      }
    }
    await step.release();
  });
});
