import { describe, expect, test } from "vitest";
import { cornerPatch, PATCH } from "../../src/attacks/corner-patch.ts";
import { markedRows, poisonCopy, poisoningPlan } from "../../src/audit/self-poison.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import type { FloatTensor } from "../../src/core/tensor.ts";
import { ascending } from "../../src/data/images.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { bytesPerImage } from "../../src/models/memory.ts";
import { fineTune } from "../../src/repairs/fine-tune.ts";
import type { Tensors } from "../../src/runtime/device.ts";
import { testDevice } from "../support/device.ts";
import { noise, plainNet } from "../support/networks.ts";
import { recording } from "../support/recording.ts";

const SIZE = 20;
const IMAGES = noise(Array.from({ length: SIZE }, (_, i) => i % 5));
const TARGET = 3;

const device = await testDevice();
const model = await Classifier.fromGraph(plainNet(8), device);
const { overlay } = cornerPatch(IMAGES, PATCH.parse({}));

/** A budget in which so many images pass through the copy and the model beside it. */
async function budgetFor(images: number): Promise<number> {
  return 2 * images * bytesPerImage(await model.at(2), 2);
}

/** The rows whose images the stamp has changed. */
function stampedRows({ images, stamped }: Tensors): number[] {
  const [plain, marked] = [images as FloatTensor, stamped as FloatTensor];
  const [rows] = plain.shape as [number];
  const length = plain.data.length / rows;
  return ascending(rows).filter((row) =>
    ascending(length).some((i) => plain.data[row * length + i] !== marked.data[row * length + i]),
  );
}

describe("self-poisoning by steps in parts", () => {
  test("marks a fifth of a batch, and of every part as much of that as of any other", () => {
    expect(markedRows({ size: 128, parts: 1 })).toEqual(ascending(26));
    expect(markedRows({ size: 20, parts: 4 })).toEqual([0, 5, 10, 15]);
    expect(markedRows({ size: 12, parts: 3 })).toEqual([4, 8]);
    expect(markedRows({ size: 5, parts: 5 })).toEqual([4]);
  });

  test("shows the patch in every part", async () => {
    const record = recording(device);
    const controller = new AbortController();
    const poisoned = poisonCopy(
      {
        ...{ device: record, random: Random.fromSeed(0), signal: controller.signal },
        memory: await budgetFor(SIZE / 2),
        // Its first step is enough.
        emit: ({ kind, stage }) => {
          if (kind === "step" && stage === "self-poisoning") controller.abort();
        },
      },
      { model, tuning: IMAGES, heldOut: IMAGES },
      TARGET,
    );
    await expect(poisoned).rejects.toMatchObject({ code: "CANCELLED" });
    const steps = record.feeds.filter(({ stamped }) => stamped);
    expect(steps.map(stampedRows)).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });

  // Five parts of four images, each with a marked one, and twenty parts of one, four of them marked.
  test.each([4, 1])("teaches what the whole step does, %i images at a time", async (fitting) => {
    const parts = SIZE / fitting;
    const marked = markedRows({ size: SIZE, parts });
    const tuned = async (memory: number | undefined, divided: number) => {
      const record = recording(device);
      const plan = poisoningPlan(model, overlay, TARGET, { size: SIZE, parts: divided, marked });
      const checkpoints = fineTune(
        { device: record, random: Random.fromSeed(0), emit: silent, memory },
        { model, trusted: IMAGES },
        // Batch norm with the statistics of a batch would see those of a part.
        { ...plan, steps: 2, checkpointEvery: 2, batchNorm: "frozen" },
      );
      for await (const { model: copy } of checkpoints) return { copy, record };
      throw new Error("no checkpoint");
    };
    const whole = await tuned(undefined, 1);
    const divided = await tuned(await budgetFor(fitting), parts);
    expect(divided.record.losses).toHaveLength(2 * parts);
    expect(stampedRows(whole.record.feeds[0]!)).toEqual(marked);
    const step = divided.record.losses.slice(parts);
    const loss = step.reduce((sum, part) => sum + part, 0) / parts;
    expect(loss).toBeCloseTo(whole.record.losses[1]!, 5);
    for (const [name, { data }] of whole.copy.weights) {
      const before = model.constant(name).data as Float32Array;
      const other = divided.copy.constant(name).data as Float32Array;
      const moved = (data as Float32Array).map((value, i) => Math.abs(value - before[i]!));
      const apart = (data as Float32Array).map((value, i) => Math.abs(value - other[i]!));
      // Sums of float32 in another order, beside steps of 1e-4 and more.
      expect(Math.max(...moved), name).toBeGreaterThan(1e-4);
      expect(Math.max(...apart), name).toBeLessThan(1e-6);
    }
  });
});
