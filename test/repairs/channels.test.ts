import { describe, expect, test } from "vitest";
import { Classifier } from "../../src/models/classifier.ts";
import { clipClassifier } from "../../src/models/clip/classifier.ts";
import { reshapeEach } from "../../src/models/clip/layers.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { type Graph, openBatch, type Value } from "../../src/onnx/graph.ts";
import { anp } from "../../src/repairs/anp.ts";
import { refuseTransformer } from "../../src/repairs/channels.ts";
import { finePruning } from "../../src/repairs/fine-pruning.ts";
import { nad } from "../../src/repairs/nad.ts";
import type { Repair } from "../../src/repairs/repair.ts";
import { SMALL, smallWeights } from "../models/clip/small.ts";
import { watched } from "../support/contract.ts";
import { testDevice } from "../support/device.ts";
import { conv, linear, noise, pooled } from "../support/networks.ts";
import { fill, startValue } from "../train/fill.ts";

const device = await testDevice();

const CLASSES = 5;
const SIDE = 8;

/** A convolution of two by two pixels with the given stride: patches with stride 2. */
function windows(b: GraphBuilder, x: Value, stride: number): Value {
  const kernel = b.constant(startValue(0, "patches", [6, 3, 2, 2]), "patches");
  const sides = { strides: [stride, stride], dilations: [1, 1], pads: [0, 0, 0, 0] };
  return b.conv(x, kernel, undefined, sides);
}

/** Every position attends to every other one: [N,C,H,W] → [N,C,H·W]. */
function attended(b: GraphBuilder, x: Value): Value {
  const [, width, ...sides] = x.shape as [number, number, number, number];
  const k = reshapeEach(b, x, [width, sides[0] * sides[1]]); // [N,C,L]
  const weights = b.softmax(b.matmul(b.transpose(k, [0, 2, 1]), k)); // [N,L,L]
  return b.matmul(k, weights);
}

function network(write: (b: GraphBuilder, images: Value) => Value): Promise<Classifier> {
  const b = new GraphBuilder();
  const images = b.input("images", "float32", [1, 3, SIDE, SIDE]); // [N,3,S,S]
  b.output("logits", write(b, images));
  return Classifier.fromGraph(openBatch(b.build()), device);
}

function tokens(b: GraphBuilder, x: Value): Value {
  return linear(b, b.mean(attended(b, x), [2]), CLASSES);
}

const check = async (model: Classifier) => refuseTransformer(await model.at(1), model, "nad");

function clip(): Graph {
  const head = fill(1, [CLASSES, SMALL.projection]);
  const preprocessing = { range: "0-1", channels: "rgb", mean: [0, 0, 0], std: [1, 1, 1] } as const;
  return clipClassifier(SMALL, smallWeights(), head, preprocessing);
}

describe.each([finePruning, anp, nad] as unknown as Repair[])("$name", (repair) => {
  test("refuses a vision transformer, and says what to do instead", async () => {
    const model = await Classifier.fromGraph(clip(), device);
    const labels = Array.from({ length: 10 }, (_, i) => i % CLASSES);
    const trusted = noise(labels, { side: SMALL.image.size });
    const { context } = watched(device, 0);
    const config = repair.config.parse({ steps: 1, batchSize: 4 });
    const run = repair.run(context, { model, trusted }, config);
    await expect(run[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      message: "The model is a transformer: its convolutions only cut the image into patches.",
      place: repair.name,
      next: expect.stringContaining("trigger-unlearning"),
    });
  });
});

describe("a repair of convolutions", () => {
  test("refuses patches with attention behind them", async () => {
    const model = await network((b, x) => tokens(b, windows(b, x, 2)));
    await expect(check(model)).rejects.toMatchObject({ code: "INVALID_CONFIG", place: "nad" });
  });

  test.each<[string, (b: GraphBuilder, x: Value) => Value]>([
    [
      "a network with a single convolution",
      (b, x) => linear(b, pooled(b, conv(b, x, "c", 6)), CLASSES),
    ],
    ["a single one without overlap", (b, x) => linear(b, pooled(b, windows(b, x, 2)), CLASSES)],
    ["attention behind windows that overlap", (b, x) => tokens(b, windows(b, x, 1))],
    [
      "a softmax behind the class scores",
      (b, x) => b.softmax(linear(b, pooled(b, windows(b, x, 2)), CLASSES)),
    ],
  ])("takes %s", async (_, write) => {
    await expect(check(await network(write))).resolves.toBeUndefined();
  });
});
