import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gradients } from "../../src/autodiff/gradients.ts";
import { liveBatchNorm, lowerBatchNorm } from "../../src/autodiff/live-batch-norm.ts";
import { Random } from "../../src/core/random.ts";
import { type FloatTensor, sizeOf, toNumbers } from "../../src/core/tensor.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { type ResNetOptions, resnet18, resnet18Parameters } from "../../src/models/resnet18.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { openDevice, type ProcessDevice } from "../../src/runtime/process-device.ts";
import { crossEntropy, rowMean } from "../../src/train/losses.ts";
import { batch, golden, startValue } from "../train/fill.ts";

const CIFAR: ResNetOptions = {
  channels: 3,
  height: 32,
  width: 32,
  classes: 10,
  baseWidth: 8,
  mean: [0, 0, 0],
  std: [1, 1, 1],
};

let device: ProcessDevice;
beforeAll(async () => {
  device = await openDevice({ name: "cpu", threads: 2 });
});
afterAll(() => device.close());

describe("resnet18", () => {
  it("has torchvision's parameters, less those of its larger stem", () => {
    const { constants } = resnet18({ ...CIFAR, classes: 1000, baseWidth: 64 }, Random.fromSeed(0));
    const parameters = [...constants].filter(([name]) => /\.(weight|bias)$/.test(name));
    const total = parameters.reduce((sum, [, { shape }]) => sum + sizeOf(shape), 0);
    // torchvision.models.resnet18() has 11 689 512; its stem is 7×7 instead of 3×3.
    expect(total).toBe(11_689_512 - 64 * 3 * (7 * 7 - 3 * 3));
    for (const name of [
      "conv1.weight",
      "layer2.0.downsample.0.weight",
      "layer4.1.bn2.running_var",
    ]) {
      expect(constants.has(name)).toBe(true);
    }
  });

  it("has the parameters that it lists, with either stem", () => {
    for (const stem of ["cifar", "imagenet"] as const) {
      const options = { ...CIFAR, stem, mean: undefined, std: undefined };
      const { constants } = resnet18(options, Random.fromSeed(0));
      const found = new Map([...constants].map(([name, { shape }]) => [name, shape]));
      expect(found).toEqual(resnet18Parameters(options));
    }
  });

  it("starts with torchvision's distributions, the same for the same seed", () => {
    const [one, same, other] = [1, 1, 2].map(
      (seed) => resnet18({ ...CIFAR, baseWidth: 16 }, Random.fromSeed(seed)).constants,
    );
    const name = "layer4.1.conv1.weight"; // [128,128,3,3]
    expect(one!.get(name)).toEqual(same!.get(name));
    expect(one!.get(name)).not.toEqual(other!.get(name));
    const values = toNumbers(one!.get(name)!);
    const deviation = Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
    expect(deviation / Math.sqrt(2 / (128 * 9))).toBeCloseTo(1, 2);
    const bound = 1 / Math.sqrt(128);
    const largest = Math.max(...toNumbers(one!.get("fc.weight")!).map(Math.abs));
    expect(largest).toBeLessThanOrEqual(bound);
    expect(largest).toBeGreaterThan(0.95 * bound);
  });

  it("is a classifier for any batch size whose normalisation is not trained", async () => {
    const classifier = await Classifier.fromGraph(resnet18(CIFAR, Random.fromSeed(0)), device);
    expect(classifier.classes).toBe(10);
    expect(classifier.roles.head.weight).toBe("fc.weight");
    expect((await classifier.at(7)).values.get("logits")?.shape).toEqual([7, 10]);
    const names = [...classifier.weights.keys()];
    expect(names).toHaveLength(62);
    expect(names).not.toContain("mean");
    expect(names).not.toContain("bn1.running_mean");
  });

  it("has PyTorch's gradient in the first step, to 1e-4", async () => {
    const expected = golden<{
      loss: number;
      gradient: Record<string, { norm: number; entries: number[] }>;
    }>("resnet18");
    const names = Object.keys(expected.gradient);
    const graph = resnet18(CIFAR, Random.fromSeed(0));
    const untrained = await Classifier.fromGraph(graph, device);
    const start = names.map(
      (name, seed) => [name, startValue(seed, name, untrained.constant(name).shape)] as const,
    );
    const classifier = untrained.withWeights(new Map(start));

    const b = new GraphBuilder();
    const { images, labels } = batch(0, 8, 32, 10);
    const live = liveBatchNorm(await classifier.at(8)).graph;
    const x = b.input("images", "float32", images.shape);
    const { logits, tensor } = classifier.append(b, live, x, "model/");
    const loss = rowMean(b, crossEntropy(b, logits, b.input("labels", "int64", labels.shape)));
    b.output("loss", loss);
    gradients(b, loss, names.map(tensor)).forEach((gradient, i) => {
      b.output(`gradient/${names[i]}`, gradient);
    });
    await using program = await device.compile(lowerBatchNorm(b.build()));
    const results = await program.run({ images, labels });

    expect(toNumbers(results["loss"]!)[0]).toBeCloseTo(expected.loss, 6);
    for (const name of names) {
      const { norm, entries } = expected.gradient[name]!;
      const ours = (results[`gradient/${name}`] as FloatTensor).data;
      const stride = Math.max(1, Math.floor(ours.length / 16));
      const length = Math.sqrt(ours.reduce((sum, v) => sum + v * v, 0));
      expect(Math.abs(length / norm - 1), name).toBeLessThan(1e-4);
      // Relative to the typical size of an entry, so that entries near zero may differ in all digits.
      const typical = norm / Math.sqrt(ours.length);
      entries.forEach((entry, i) => {
        expect(Math.abs(ours[i * stride]! - entry) / typical, `${name}[${i}]`).toBeLessThan(1e-4);
      });
    }
  });
});
