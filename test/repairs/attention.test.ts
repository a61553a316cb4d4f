import { expect, test } from "vitest";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { float32 } from "../../src/core/tensor.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { resnet18 } from "../../src/models/resnet18.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { openBatch } from "../../src/onnx/graph.ts";
import { attentionLayers, attentionMap } from "../../src/repairs/attention.ts";
import { nad } from "../../src/repairs/nad.ts";
import { testDevice } from "../support/device.ts";
import { conv, flatNet, linear, noise, pooled } from "../support/networks.ts";
import { fill } from "../train/fill.ts";

const device = await testDevice();

test("attention is compared on what every stage of a ResNet hands on", async () => {
  const size = { channels: 3, height: 32, width: 32, baseWidth: 4, classes: 10 };
  const options = { ...size, mean: [0, 0, 0], std: [1, 1, 1] };
  const graph = resnet18(options, Random.fromSeed(0));
  const network = await (await Classifier.fromGraph(graph, device)).at(2);
  const layers = attentionLayers(network);
  const shapes = layers.map((name) => network.values.get(name)!.shape);
  expect(shapes).toEqual([
    [2, 4, 32, 32],
    [2, 8, 16, 16],
    [2, 16, 8, 8],
    [2, 32, 4, 4],
  ]);
  const made = network.nodes.filter(({ outputs }) => layers.includes(outputs[0]!));
  expect(made.map(({ op }) => op)).toEqual(["Relu", "Relu", "Relu", "Relu"]);
});

test("attention is not compared on tensors whose channels are last, as inside a ConvNeXt block", async () => {
  const b = new GraphBuilder();
  const images = b.input("images", "float32", [1, 3, 8, 8]);
  const stem = conv(b, images, "stem", 6); // [N,C,H,W]
  const last = b.transpose(stem, [0, 2, 3, 1]); // [N,H,W,C]
  const centred = b.sub(last, b.mean(last, [3], true));
  const mixed = b.unary("Relu", b.matmul(centred, b.constant(fill(0, [6, 6]))));
  const block = b.add(stem, b.transpose(mixed, [0, 3, 1, 2])); // [N,C,H,W]
  // A swap of the axes of space moves no channel.
  const turned = b.transpose(b.slice(block, [3], [0], [4]), [0, 1, 3, 2]); // [N,C,4,8]
  const narrow = b.add(b.mean(block, [2, 3], true), turned);
  b.output("logits", linear(b, pooled(b, narrow), 5));
  const model = await Classifier.fromGraph(openBatch(b.build()), device);
  const network = await model.at(2);
  const maps = attentionLayers(network).map((name) => network.values.get(name)!.shape);
  expect(maps).toEqual([
    [2, 6, 8, 8],
    [2, 6, 8, 4],
    [2, 6, 4, 8],
  ]);
  expect(attentionLayers(network)[0]).toContain(block.name);
});

test("a network without feature maps is refused", async () => {
  const model = await Classifier.fromGraph(flatNet(8), device);
  const context = { device, random: Random.fromSeed(0), emit: silent };
  const trusted = noise([0, 1, 2, 3, 4]);
  const run = nad.run(context, { model, trusted }, nad.config.parse({ steps: 1 }));
  await expect(run[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    code: "INVALID_CONFIG",
    place: "nad",
  });
});

test("an attention map has length 1 for every image, and none where nothing is active", async () => {
  const b = new GraphBuilder();
  const features = b.input("features", "float32", [2, 2, 1, 2]);
  b.output("map", attentionMap(b, features, 2));
  const program = await device.compile(b.build());
  // Image 0: 3² + 0² and 0² + (−2)²; image 1 is dark.
  const data = Float32Array.from([3, 0, 0, -2, 0, 0, 0, 0]);
  const { map } = await program.run({ features: float32([2, 2, 1, 2], data) });
  await program.release();
  const norm = Math.hypot(9, 4);
  const expected = [9 / norm, 4 / norm, 0, 0];
  for (const [at, value] of expected.entries()) expect(map!.data[at]).toBeCloseTo(value, 6);
});
