import { describe, expect, test } from "vitest";
import { ascending, count } from "../../src/data/images.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { SANITIZERS } from "../../src/sanitizers/index.ts";
import type { Sanitizer } from "../../src/sanitizers/sanitizer.ts";
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

/** 250 images in three batches; class 3 has one, class 4 none. */
const IMAGES = noise(Array.from({ length: 250 }, (_, i) => (i === 7 ? 3 : (i * i) % 3)));
/** So that something is left out. */
const OWN: Readonly<Record<string, object>> = {
  "activation-clustering": { largestShare: 0.5, leastSilhouette: -1 },
};

const device = await testDevice();
const model = await Classifier.fromGraph(tinyNet(8), device);

test("the registry of sanitizers lists every sanitizer file under its own name", () => {
  expectRegistryIsFolder("sanitizers", SANITIZERS, [
    ...["index.ts", "latents.ts", "principal.ts", "sanitizer.ts", "silhouette.ts", "two-means.ts"],
  ]);
});

describe.each(Object.values(SANITIZERS) as Sanitizer[])("$name", (sanitizer) => {
  const config = sanitizer.config.parse(OWN[sanitizer.name] ?? {});
  const input = { images: IMAGES, model };

  test("has a schema that refuses unknown options and describes every option", () => {
    expectDescribed(sanitizer.config);
  });

  test("scores every image and leaves out the highest scores of a class", async () => {
    const { context, events } = watched(device, 0);
    const { scores, removed } = await sanitizer.run(context, input, config);
    expect(scores).toHaveLength(count(IMAGES));
    expect(scores.every(Number.isFinite)).toBe(true);
    expect(removed.length).toBeGreaterThan(0);
    expect(removed).toEqual([...new Set(removed)].sort((a, b) => a - b));
    for (const label of IMAGES.labels.slice(0, 10)) {
      const own = ascending(count(IMAGES)).filter((at) => IMAGES.labels[at] === label);
      const [out, kept] = [true, false].map((gone) =>
        own.filter((at) => removed.includes(at) === gone).map((at) => scores[at]!),
      );
      // Something of every class is left to train on.
      expect(kept!.length).toBeGreaterThan(0);
      expect(Math.min(...out!)).toBeGreaterThanOrEqual(Math.max(...kept!));
    }
    expectProgress(events);
    expect(events.at(-1)).toEqual({ kind: "step", stage: sanitizer.name, done: 3, total: 3 });
  });

  test("is the same for the same seed, to the last bit", async () => {
    const run = () => sanitizer.run(watched(device, 5).context, input, config);
    expect(await run()).toEqual(await run());
  });

  test("looks at a class alone: its images' scores do not depend on the others", async () => {
    const all = await sanitizer.run(watched(device, 0).context, input, config);
    const labels = IMAGES.labels.map((label) => (label === 0 ? 4 : label));
    const others = { model, images: { ...IMAGES, labels } };
    const { scores } = await sanitizer.run(watched(device, 0).context, others, config);
    for (const [at, label] of IMAGES.labels.entries()) {
      // In another batch, sums may be added up in another order.
      if (label === 1) expect(scores[at]).toBeCloseTo(all.scores[at]!, 6);
    }
  });

  test("does with images that are all alike, and with none", async () => {
    const alike = { ...IMAGES, images: new Uint8Array(IMAGES.images.length).fill(9) };
    const { scores } = await sanitizer.run(
      watched(device, 0).context,
      { ...input, images: alike },
      config,
    );
    expect(scores.every((score) => score === 0)).toBe(true);
    const none = { ...IMAGES, images: new Uint8Array(0), labels: new Int32Array(0) };
    const nothing = { ...input, images: none };
    expect(await sanitizer.run(watched(device, 0).context, nothing, config)).toEqual({
      ...{ scores: new Float64Array(0), removed: [] },
    });
  });

  test("leaves model and images as they are", async () => {
    const before = structuredClone([IMAGES.images, IMAGES.labels]);
    const other = await Classifier.fromGraph(plainNet(8), device);
    const weights = new Map([...other.weights].map(([k, v]) => [k, structuredClone(v)]));
    await sanitizer.run(watched(device, 0).context, { ...input, model: other }, config);
    expect([IMAGES.images, IMAGES.labels]).toEqual(before);
    expect(sameBits(other.weights, weights)).toBe(true);
  });

  test("stops on request; done or stopped, it leaves no program behind", async () => {
    const stopped = recording(device);
    const { context } = watched(stopped, 0, true);
    await expect(sanitizer.run(context, input, config)).rejects.toMatchObject({
      code: "CANCELLED",
    });
    expect(stopped.compiled).toBe(1);
    expect(stopped.open).toBe(0);
    const done = recording(device);
    await sanitizer.run(watched(done, 0).context, input, config);
    expect(done.compiled).toBe(1);
    expect(done.open).toBe(0);
  });
});
