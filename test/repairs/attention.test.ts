import { expect, test } from "vitest";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { float32 } from "../../src/core/tensor.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { resnet18 } from "../../src/models/resnet18.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { attentionLayers, attentionMap } from "../../src/repairs/attention.ts";
import { nad } from "../../src/repairs/nad.ts";
import { testDevice } from "../support/device.ts";
import { flatNet, noise } from "../support/networks.ts";

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
