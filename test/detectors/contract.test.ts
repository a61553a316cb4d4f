import { describe, expect, test } from "vitest";
import type { FloatTensor, Tensor } from "../../src/core/tensor.ts";
import type { FixedTrigger } from "../../src/data/fixed-trigger.ts";
import type { Detector, DetectorInput } from "../../src/detectors/detector.ts";
import { DETECTORS } from "../../src/detectors/index.ts";
import { Classifier } from "../../src/models/classifier.ts";
import {
  expectDescribed,
  expectProgress,
  expectRegistryIsFolder,
  sameBits,
  watched,
} from "../support/contract.ts";
import { testDevice } from "../support/device.ts";
import { noise, plainNet } from "../support/networks.ts";
import { recording } from "../support/recording.ts";
import { tinyNet } from "../train/tiny.ts";

const SEARCH = noise(Array.from({ length: 20 }, (_, i) => i % 5));
const HELD_OUT = noise(
  Array.from({ length: 15 }, (_, i) => i % 5),
  { seed: 8 },
);
/** Three classes a step: the last group of five is not full. */
const SHORT = { steps: 6, images: 4, classesPerStep: 3 };
/** What makes a detector short beside that. */
const OWN: Readonly<Record<string, object>> = { combined: { marginSteps: 6, marginImages: 4 } };

const device = await testDevice();
const input: DetectorInput = {
  model: await Classifier.fromGraph(tinyNet(8), device),
  repaired: await Classifier.fromGraph(plainNet(8), device),
  ...{ search: SEARCH, heldOut: HELD_OUT },
};

test("the registry of detectors lists every detector file under its own name", () => {
  expectRegistryIsFolder("detectors", DETECTORS, [
    ...["detector.ts", "index.ts", "measure.ts", "rules.ts"],
  ]);
});

describe.each(Object.values(DETECTORS) as Detector[])("$name", (detector) => {
  const config = detector.config.parse({ ...SHORT, ...OWN[detector.name] });

  test("has a schema that refuses unknown options and describes every option", () => {
    expectDescribed(detector.config);
  });

  test("gives evidence for every class, and the largest score as that of the model", async () => {
    const { context, events } = watched(device, 0);
    const { statistic, classes, score } = await detector.run(context, input, config);
    expect(statistic).toBeTruthy();
    expect(classes.map(({ target }) => target)).toEqual([0, 1, 2, 3, 4]);
    expect(score).toBe(Math.max(...classes.map((it) => it.score)));
    for (const { trigger, size, success, kept } of classes) {
      expect(valuesOf(trigger).shape).toEqual([trigger.kind === "warp" ? 2 : 3, 8, 8]);
      expect(Number.isFinite(size)).toBe(true);
      // three of the fifteen images are of the class itself
      for (const share of [success.suspect, success.repaired, kept]) expect(share.count).toBe(12);
      expect(success.repaired.value + kept.value).toBeLessThanOrEqual(1);
    }
    expectProgress(events);
  });

  test("examines no other classes than it is told to", async () => {
    const examined = { targets: [1, 2, 4], controls: [1, 2] };
    const { context } = watched(device, 0);
    const { classes } = await detector.run(context, { ...input, examined }, config);
    expect(classes.map(({ target }) => target)).toEqual([1, 2, 4]);
    for (const { score, peers } of classes) {
      expect(Number.isFinite(score)).toBe(true);
      if (peers) expect(peers).toHaveLength(3);
    }
  });

  test("is the same for the same seed, to the last bit, and another for another one", async () => {
    const run = async (seed: number) => {
      const { classes } = await detector.run(watched(device, seed).context, input, config);
      const triggers = classes.map(({ target, trigger }): [string, Tensor] => [
        `${target}`,
        valuesOf(trigger),
      ]);
      return { scores: classes.map(({ score }) => score), triggers: new Map(triggers) };
    };
    const [one, same, other] = [await run(1), await run(1), await run(2)];
    expect(one.scores).toEqual(same.scores);
    expect(sameBits(one.triggers, same.triggers)).toBe(true);
    expect(sameBits(one.triggers, other.triggers)).toBe(false);
  });

  test("leaves models and images as they are", async () => {
    const before = structuredClone([SEARCH.images, HELD_OUT.images]);
    const weights = structuredClone(input.model.weights);
    await detector.run(watched(device, 0).context, input, config);
    expect([SEARCH.images, HELD_OUT.images]).toEqual(before);
    expect(sameBits(input.model.weights, weights as ReadonlyMap<string, Tensor>)).toBe(true);
    expect(input.model.changes.size).toBe(0);
  });

  test("stops on request; done or stopped, it leaves no program behind", async () => {
    const stopped = recording(device);
    const { context } = watched(stopped, 0, true);
    await expect(detector.run(context, input, config)).rejects.toMatchObject({
      code: "CANCELLED",
    });
    expect(stopped.compiled).toBeGreaterThan(0);
    expect(stopped.open).toBe(0);
    const done = recording(device);
    await detector.run(watched(done, 0).context, input, config);
    expect(done.open).toBe(0);
  });

  test.skipIf(!detector.search)("searches ahead what it would search itself", async () => {
    const triggers = await detector.search!(watched(device, 3).context, input, config);
    // Another seed: nothing is drawn any more, but for the half of "combined" that searches no trigger.
    const { context, events } = watched(device, detector.name === "combined" ? 3 : 99);
    const given = await detector.run(context, { ...input, triggers }, config);
    expect(events.filter(({ stage }) => stage.endsWith("triggers"))).toEqual([]);
    const alone = await detector.run(watched(device, 3).context, input, config);
    expect(given).toEqual(alone);
  });
});

/** What a trigger adds, or from where it reads. */
function valuesOf(trigger: FixedTrigger): FloatTensor {
  return trigger.kind === "warp" ? trigger.field : trigger.add;
}
