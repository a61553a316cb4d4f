import { expect, test } from "vitest";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { pivotalTuning } from "../../src/repairs/pivotal-tuning.ts";
import { testDevice } from "../support/device.ts";
import { noise, plainNet } from "../support/networks.ts";

const TRUSTED = noise(Array.from({ length: 16 }, (_, i) => i % 5));

const device = await testDevice();

/** By how much the weight that moved furthest did, without anything but the task. */
async function moved(options: Record<string, unknown>): Promise<number> {
  const model = await Classifier.fromGraph(plainNet(8), device);
  const config = pivotalTuning.config.parse({
    ...{ steps: 3, batchSize: 8, lambdaS: 0, lambdaP: 0, weightDecay: 0, batchNorm: "frozen" },
    ...options,
  });
  const context = { device, random: Random.fromSeed(0), emit: silent };
  let furthest = 0;
  for await (const checkpoint of pivotalTuning.run(context, { model, trusted: TRUSTED }, config)) {
    for (const [name, { data }] of checkpoint.model.weights) {
      const from = model.weights.get(name)!.data;
      (data as Float32Array).forEach((value, at) => {
        furthest = Math.max(furthest, Math.abs(value - Number(from[at])));
      });
    }
  }
  return furthest;
}

test("labels ask a suspect that has not fit them to change, its own answers do not", async () => {
  expect(await moved({})).toBeGreaterThan(1e-3);
  expect(await moved({ distillation: 1 })).toBeLessThan(1e-6);
});
