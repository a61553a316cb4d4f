import { expect, test } from "vitest";
import type { FloatTensor } from "../../src/core/tensor.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { openBatch } from "../../src/onnx/graph.ts";
import { finePruning } from "../../src/repairs/fine-pruning.ts";
import { watched } from "../support/contract.ts";
import { testDevice } from "../support/device.ts";
import { linear, noise, plainNet } from "../support/networks.ts";

const TRUSTED = noise(Array.from({ length: 20 }, (_, i) => i % 5));
const device = await testDevice();

const config = (options: object = {}) =>
  finePruning.config.parse({ steps: 4, checkpointEvery: 2, batchSize: 8, ...options });

async function silent(layers: "last" | "all", batchNorm: "frozen" | "reinsert") {
  const model = await Classifier.fromGraph(plainNet(8), device);
  const { context } = watched(device, 0);
  const options = config({ layers, pruned: 0.5, batchNorm });
  const found: Record<string, number>[] = [];
  for await (const checkpoint of finePruning.run(context, { model, trusted: TRUSTED }, options)) {
    const zeroFilters = (name: string) => {
      const { shape, data } = checkpoint.model.constant(name) as FloatTensor;
      const length = data.length / shape[0]!;
      return Array.from({ length: shape[0]! }, (_, k) =>
        data.subarray(k * length, (k + 1) * length).every((value) => value === 0),
      ).filter(Boolean).length;
    };
    found.push({ conv1: zeroFilters("conv1.weight"), conv2: zeroFilters("conv2.weight") });
  }
  return found;
}

test.each(["frozen", "reinsert"] as const)("pruned channels stay silent, %s", async (norm) => {
  expect(await silent("last", norm)).toEqual(Array(2).fill({ conv1: 0, conv2: 3 }));
  expect(await silent("all", norm)).toEqual(Array(2).fill({ conv1: 2, conv2: 3 }));
});

test("refuses a model without convolutions", async () => {
  const b = new GraphBuilder();
  const images = b.input("images", "float32", [1, 3, 8, 8]);
  const flat = b.op("Flatten", [images], {}, { type: "float32", shape: [1, 192] });
  b.output("logits", linear(b, flat, 5));
  const model = await Classifier.fromGraph(openBatch(b.build()), device);
  const { context } = watched(device, 0);
  const checkpoints = finePruning.run(context, { model, trusted: TRUSTED }, config());
  await expect(checkpoints[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    code: "INVALID_CONFIG",
    message: expect.stringContaining("no convolution"),
  });
});
