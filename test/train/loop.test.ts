import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Progress } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { concat, subset } from "../../src/data/images.ts";
import { Classifier } from "../../src/models/classifier.ts";
import type { RunContext } from "../../src/runtime/context.ts";
import { openDevice, type ProcessDevice } from "../../src/runtime/process-device.ts";
import { TRAINING } from "../../src/train/config.ts";
import { type TrainingInput, train } from "../../src/train/loop.ts";
import { stripes } from "./stripes.ts";
import { tinyNet } from "./tiny.ts";

let device: ProcessDevice;
let folder: string;
beforeAll(async () => {
  device = await openDevice({ name: "cpu", threads: 2 });
  folder = await mkdtemp(join(tmpdir(), "antidote-test-"));
});
afterAll(async () => {
  await device.close();
  await rm(folder, { recursive: true });
});

function context(changes: Partial<RunContext> = {}): RunContext {
  return { device, random: Random.fromSeed(7), emit: () => {}, ...changes };
}

const images = stripes(100, 1);
const config = TRAINING.parse({ epochs: 3, batch: 16, learningRate: 0.1 });
const STEPS = 3 * 6; // the rest of 4 images is dropped

async function input(more: Partial<TrainingInput> = {}): Promise<TrainingInput> {
  return { classifier: await Classifier.fromGraph(tinyNet(8, 2), device), images, ...more };
}

function bits(classifier: Classifier): Map<string, unknown> {
  const statistics = ["bn1", "bn2"].flatMap((n) => [`${n}.running_mean`, `${n}.running_var`]);
  const names = [...classifier.weights.keys(), ...statistics];
  return new Map(names.map((name) => [name, classifier.constant(name).data]));
}

/** Cancels once so many steps are done. */
function stopAfter(steps: number): Partial<RunContext> {
  const controller = new AbortController();
  const emit = (event: Progress) => {
    if (event.kind === "step" && event.done === steps) controller.abort();
  };
  return { signal: controller.signal, emit };
}

describe("train", () => {
  it("learns, reports progress and measures held-out accuracy", async () => {
    const events: Progress[] = [];
    const emit = (event: Progress) => void events.push(event);
    const longer = { ...config, epochs: 15 };
    const heldOut = stripes(100, 2);
    const result = await train(context({ emit }), await input({ heldOut }), longer);
    expect(result.history.map(({ epoch }) => epoch)).toEqual(
      Array.from({ length: 15 }, (_, i) => i + 1),
    );
    const [first, last] = [result.history[0]!, result.history.at(-1)!];
    expect(last.loss).toBeLessThan(0.6 * first.loss);
    expect(last.heldOutAccuracy!.value).toBeGreaterThan(0.9);
    expect(last.trainingAccuracy.count).toBe(96);
    const steps = events.filter((event) => event.kind === "step");
    expect(steps).toHaveLength(90);
    expect(steps.at(-1)).toEqual({ kind: "step", stage: "training", done: 90, total: 90 });
  });

  it.each([4, 6])("resumes to the same bits after a stop at step %d", async (stop) => {
    const through = await train(context(), await input(), config);
    const checkpoint = join(folder, `stop-${stop}.safetensors`);
    const stopped = train(context(stopAfter(stop)), await input({ checkpoint }), config);
    await expect(stopped).rejects.toMatchObject({ code: "CANCELLED" });
    let steps = 0;
    const emit = (event: Progress) => {
      if (event.kind === "step") steps++;
    };
    const resumed = await train(context({ emit }), await input({ checkpoint }), config);
    expect(steps).toBe(STEPS - stop);
    expect(bits(resumed.classifier)).toEqual(bits(through.classifier));
    expect(resumed.history).toEqual(through.history);
    // Once finished, it is only read.
    const again = await train(context({ emit }), await input({ checkpoint }), config);
    expect(steps).toBe(STEPS - stop);
    expect(bits(again.classifier)).toEqual(bits(through.classifier));
  });

  it("depends on the seed, and on which images are augmented", async () => {
    const one = { ...config, epochs: 1 };
    const base = bits((await train(context(), await input(), one)).classifier);
    const random = Random.fromSeed(8);
    expect(bits((await train(context({ random }), await input(), one)).classifier)).not.toEqual(
      base,
    );
    const unaugmented = new Set(images.labels.keys());
    const still = bits((await train(context(), await input({ unaugmented }), one)).classifier);
    expect(still).not.toEqual(base);
    const none = { ...one, padding: 0, flip: false };
    expect(bits((await train(context(), await input(), none)).classifier)).toEqual(still);
  });

  it("shows repeats as it would show copies", async () => {
    const one = { ...config, epochs: 1 };
    const repeats = [3, 8, 3];
    const unaugmented = new Set([3]);
    const repeated = await train(context(), await input({ repeats, unaugmented }), one);
    const copied = await train(
      context(),
      await input({
        images: concat(images, subset(images, repeats)),
        unaugmented: new Set([3, 100, 102]),
      }),
      one,
    );
    expect(bits(repeated.classifier)).toEqual(bits(copied.classifier));
    const base = await train(context(), await input({ unaugmented }), one);
    expect(bits(repeated.classifier)).not.toEqual(bits(base.classifier));
  });

  it("refuses the checkpoint of another run, and a damaged one", async () => {
    const checkpoint = join(folder, "other.safetensors");
    await train(context(), await input({ checkpoint }), { ...config, epochs: 1 });
    await expect(train(context(), await input({ checkpoint }), config)).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      place: checkpoint,
    });
    // Batch norm takes the statistics of a part, so the parts of a step decide as well.
    const divided = context({ memory: 1 });
    const once = { ...config, epochs: 1 };
    await expect(train(divided, await input({ checkpoint }), once)).rejects.toMatchObject({
      code: "INVALID_CONFIG",
    });
    await writeFile(checkpoint, (await readFile(checkpoint)).subarray(0, 1000));
    await expect(train(context(), await input({ checkpoint }), config)).rejects.toMatchObject({
      code: "DATA_INVALID",
      place: checkpoint,
    });
  });

  it("stops when the loss is no number", async () => {
    const wild = { ...config, optimiser: "sgd", learningRate: 1e30 } as const;
    await expect(train(context(), await input(), wild)).rejects.toMatchObject({ code: "DIVERGED" });
  });
});

describe("the options of training", () => {
  it("are all described, and unknown ones refused", () => {
    for (const [name, option] of Object.entries(TRAINING.shape)) {
      expect(option.description, name).toBeTruthy();
    }
    expect(TRAINING.safeParse({ lr: 0.1 }).success).toBe(false);
  });
});
