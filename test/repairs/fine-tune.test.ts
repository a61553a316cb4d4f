import { expect, test } from "vitest";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { float32 } from "../../src/core/tensor.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { fineTune } from "../../src/repairs/fine-tune.ts";
import { crossEntropy } from "../../src/train/losses.ts";
import { type Optimiser, sgd } from "../../src/train/optimisers.ts";
import { constant } from "../../src/train/schedules.ts";
import { testDevice } from "../support/device.ts";
import { noise, plainNet } from "../support/networks.ts";
import { recording } from "../support/recording.ts";

const TRUSTED = noise(Array.from({ length: 16 }, (_, i) => i % 5));
const IMAGE = 3 * 8 * 8;

const device = await testDevice();

test("augmentation moves the images, but not the trigger on them", async () => {
  const record = recording(device);
  const model = await Classifier.fromGraph(plainNet(8), device);
  const context = { device: record, random: Random.fromSeed(0), emit: silent };
  const checkpoints = fineTune(
    context,
    { model, trusted: TRUSTED },
    {
      ...{ stage: "test", steps: 3, batchSize: 8, checkpointEvery: 3, augment: true },
      ...{ batchNorm: "frozen", schedule: constant(0.01), optimiser: sgd() },
      stamp({ shape, data }) {
        // The red pixel in the corner of every image.
        return float32(
          shape,
          data.map((value, at) => (at % IMAGE === 0 ? 9 : value)),
        );
      },
      loss: (b, { student, labels }) => b.mean(crossEntropy(b, student.logits, labels)),
    },
  );
  for await (const { step } of checkpoints) expect(step).toBe(3);

  const seen = record.feeds;
  expect(seen).toHaveLength(3);
  for (const { images, stamped } of seen) {
    const [plain, marked] = [images!.data as Float32Array, stamped!.data as Float32Array];
    const changed = [...plain.keys()].filter((at) => plain[at] !== marked[at]);
    expect(changed).toEqual(Array.from({ length: 8 }, (_, row) => row * IMAGE));
  }
  // Crops differ from step to step.
  expect(seen[0]!["images"]!.data).not.toEqual(seen[2]!["images"]!.data);
});

test("a governed rate starts small and grows while answers are kept, any other follows its schedule", async () => {
  const model = await Classifier.fromGraph(plainNet(8), device);
  const ratesOf = async (governed: boolean) => {
    const rates: number[] = [];
    const plain = sgd();
    const optimiser: Optimiser = {
      ...plain,
      coefficients(step, rate) {
        rates.push(rate);
        return plain.coefficients(step, rate);
      },
    };
    const checkpoints = fineTune(
      { device, random: Random.fromSeed(0), emit: silent },
      { model, trusted: TRUSTED },
      {
        ...{ stage: "test", steps: 3, batchSize: 8, checkpointEvery: 3, augment: false, governed },
        ...{ batchNorm: "frozen", schedule: constant(1e-6), optimiser },
        loss: (b, { student, labels }) => b.mean(crossEntropy(b, student.logits, labels)),
      },
    );
    for await (const { step } of checkpoints) expect(step).toBe(3);
    return rates.map((rate) => rate / 1e-6);
  };
  expect(await ratesOf(false)).toEqual([1, 1, 1]);
  expect(await ratesOf(true)).toEqual([1, 1.25, 1.25 ** 2].map((share) => share / 32));
});
