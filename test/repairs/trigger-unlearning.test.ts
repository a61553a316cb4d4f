import { describe, expect, test } from "vitest";
import type { Progress } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { float32 } from "../../src/core/tensor.ts";
import { additive } from "../../src/data/overlay.ts";
import type { SuspectedTrigger } from "../../src/inversion/smallest.ts";
import { Classifier, type Weights } from "../../src/models/classifier.ts";
import { triggerUnlearning } from "../../src/repairs/trigger-unlearning.ts";
import { sameBits } from "../support/contract.ts";
import { testDevice } from "../support/device.ts";
import { noise, plainNet } from "../support/networks.ts";
import { recording } from "../support/recording.ts";

const TRUSTED = noise(Array.from({ length: 20 }, (_, i) => i % 5));

const device = await testDevice();
const model = await Classifier.fromGraph(plainNet(8), device);

function shade(target: number, value: number, gap: number): SuspectedTrigger {
  const trigger = additive(float32([3, 8, 8], new Float32Array(192).fill(value)));
  return { target, family: "additive", trigger, size: 1, reached: gap > 0, suspicion: 3, gap };
}

const config = (options: object) =>
  triggerUnlearning.config.parse({
    ...{ steps: 4, checkpointEvery: 2, batchSize: 8, learningRate: 0.01, stamped: 0.5 },
    ...{ focus: 2, renew: false, augment: false, batchNorm: "live", ...options },
  });

async function unlearned(triggers: SuspectedTrigger[], options = {}): Promise<Weights> {
  const context = { device, random: Random.fromSeed(0), emit: () => {} };
  let changes: Weights = new Map();
  const input = { model, trusted: TRUSTED, triggers };
  for await (const checkpoint of triggerUnlearning.run(context, input, config(options))) {
    changes = checkpoint.model.changes;
  }
  return changes;
}

describe("trigger unlearning", () => {
  test("leaves out triggers that do not stand out, unless it is told to take them", async () => {
    const one = [shade(1, 0.3, 2)];
    const both = [shade(1, 0.3, 2), shade(2, -0.3, 1.2)];
    expect(sameBits(await unlearned(one), await unlearned(both))).toBe(true);
    const low = { gap: 1.1 };
    expect(sameBits(await unlearned(one, low), await unlearned(both, low))).toBe(false);
  });

  test("without a suspicious trigger leaves the model as it is", async () => {
    expect((await unlearned([])).size).toBe(0);
    expect((await unlearned([shade(1, 0.3, 0)])).size).toBe(0);
    expect((await unlearned([shade(1, 0.3, 1)])).size).toBe(0);
    expect((await unlearned([shade(1, 0.3, 2)])).size).toBeGreaterThan(0);
  });

  test("moves the weights less, the heavier the anchor", async () => {
    const moved = async (anchor: number) => {
      const changes = await unlearned([shade(1, 0.3, 2)], { anchor, steps: 40 });
      const squares = [...changes].map(([name, { data }]) => {
        const from = model.weights.get(name)!.data as Float32Array;
        return (data as Float32Array).reduce((sum, v, i) => sum + (v - from[i]!) ** 2, 0);
      });
      return squares.reduce((sum, v) => sum + v, 0);
    };
    const [free, held, fixed] = [await moved(0), await moved(1), await moved(10)];
    expect(held).toBeLessThan(0.9 * free);
    expect(fixed).toBeLessThan(0.9 * held);
  });

  test("searches triggers itself where none are given", async () => {
    const events: Progress[] = [];
    const emit = (event: Progress) => events.push(event);
    const context = { device, random: Random.fromSeed(0), emit };
    const short = config({ steps: 1 });
    for await (const { step } of triggerUnlearning.run(context, { model, trusted: TRUSTED }, short))
      expect(step).toBe(1);
    const stages = [...new Set(events.map(({ stage }) => stage))];
    expect(stages).toContain("masked triggers");
    expect(stages.at(-1)).toBe("trigger-unlearning");
  });

  test("stops on request while it searches again", async () => {
    const controller = new AbortController();
    const record = recording(device);
    const context = {
      ...{ device: record, random: Random.fromSeed(0), signal: controller.signal },
      emit: ({ stage }: Progress) => {
        if (stage === "additive trigger") controller.abort();
      },
    };
    const input = { model, trusted: TRUSTED, triggers: [shade(1, 0.3, 2)] };
    const run = async () => {
      const steps = [];
      const checkpoints = triggerUnlearning.run(context, input, config({ renew: true }));
      for await (const { step } of checkpoints) steps.push(step);
      return steps;
    };
    await expect(run()).rejects.toMatchObject({ code: "CANCELLED" });
    expect(record.open).toBe(0);
  });
});
