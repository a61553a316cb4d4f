import { toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { type FloatTensor, float32, type Tensor } from "../../src/core/tensor.ts";
import { ascending, batchTensors, count } from "../../src/data/images.ts";
import { Classifier, type Weights } from "../../src/models/classifier.ts";
import { newModelFile } from "../../src/models/new-file.ts";
import { ReinsertedBatchNorm } from "../../src/models/reinserted-batch-norm.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { exportModel } from "../../src/onnx/export.ts";
import { type Graph, openBatch, type StaticGraph } from "../../src/onnx/graph.ts";
import { ModelProtoSchema } from "../../src/onnx/proto/generated/onnx_pb.ts";
import { runModel } from "../onnx/run.ts";
import { testDevice } from "../support/device.ts";
import { conv, noise, pooled } from "../support/networks.ts";
import { fill, startValue } from "../train/fill.ts";

const CLASSES = 5;
const WINDOW = { strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1] };

/** Convolutions of every kind: plain, depthwise, with shared weights, without bias, normalised, the head. */
function assorted(): Graph {
  const b = new GraphBuilder();
  const images = b.input("images", "float32", [1, 3, 8, 8]); // [N,3,8,8]
  const relu = (x: Parameters<typeof conv>[1]) => b.unary("Relu", x);
  const first = relu(conv(b, images, "plain", 6, { stride: 2, seed: 0 }));
  const depthwise = b.constant(startValue(2, "depthwise.weight", [6, 1, 3, 3]), "depthwise.weight");
  const shift = b.constant(startValue(3, "depthwise.bias", [6]), "depthwise.bias");
  const second = relu(b.conv(first, depthwise, shift, WINDOW, 6));
  const shared = b.constant(startValue(4, "shared.weight", [6, 6, 3, 3]), "shared.weight");
  const own = (seed: number) => b.constant(startValue(seed, "bias", [6]), `shared.bias.${seed}`);
  const twice = relu(b.conv(relu(b.conv(second, shared, own(5), WINDOW)), shared, own(6), WINDOW));
  const bare = relu(conv(b, twice, "bare", 6, { bias: false, seed: 7 }));
  const normed = conv(b, bare, "normed", 6, { seed: 8 });
  const operands = ["weight", "bias", "running_mean", "running_var"].map((part, i) =>
    b.constant(float32([6], Array(6).fill(i % 3 === 0 ? 1 : 0.1)), `bn.${part}`),
  );
  const last = relu(b.op("BatchNormalization", [normed, ...operands], {}, normed));
  const head = b.constant(fill(10, [CLASSES, 6, 1, 1]), "head.weight");
  const bias = b.constant(fill(11, [CLASSES]), "head.bias");
  const scores = b.conv(last, head, bias, { ...WINDOW, pads: [0, 0, 0, 0] });
  b.output("logits", pooled(b, scores));
  return openBatch(b.build());
}

const IMAGES = noise(Array.from({ length: 20 }, (_, i) => i % CLASSES));
const N = count(IMAGES);

const device = await testDevice();
const model = await Classifier.fromGraph(assorted(), device);
const norm = await ReinsertedBatchNorm.measure(
  { device, random: Random.fromSeed(0), emit: silent },
  model,
  IMAGES,
);

const values = (tensor: Tensor) => (tensor as FloatTensor).data;

/** Logits of a rewritten form of the model, with other values for some constants. */
async function logitsOf(classifier: Classifier, network: StaticGraph, replaced: Weights) {
  const b = new GraphBuilder();
  const x = b.input("images", "float32", [N, 3, 8, 8]);
  const bindings = Object.fromEntries(
    [...replaced].map(([name, tensor]) => [name, b.constant(tensor, `replaced/${name}`)]),
  );
  b.output("logits", classifier.append(b, network, x, "model/", bindings).logits);
  await using program = await device.compile(b.build());
  const { images } = batchTensors(IMAGES, ascending(N));
  return values((await program.run({ images }))["logits"]!);
}

/** Largest difference, in units of the largest value. */
function apart(a: Float32Array, b: Float32Array): number {
  const largest = b.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  return Math.max(...a.map((v, i) => Math.abs(v - b[i]!))) / largest;
}

/** Values as after some tuning: every weight moved, statistics too. */
function tuned(): Weights {
  const moved = [...model.weights, ...norm.parameters, ...norm.statistics].map(
    ([name, value], i) => {
      const noise = fill(50 + i, value.shape).data;
      const changed = values(value).map((v, at) => v * (1 + 0.3 * noise[at]!));
      return [name, float32(value.shape, changed)] as const;
    },
  );
  return new Map(moved);
}

describe("reinserted batch norm", () => {
  test("stands behind convolutions that own their weight and bias, and no others", async () => {
    const network = await model.at(N);
    const applied = norm.apply(network);
    const added = applied.nodes.filter(
      ({ op, inputs }) => op === "BatchNormalization" && !inputs.includes("bn.weight"),
    );
    const producers = added.map(({ inputs }) =>
      applied.nodes.find(({ outputs }) => outputs[0] === inputs[0]),
    );
    expect(producers.map((node) => node!.inputs[1])).toEqual(["plain.weight", "depthwise.weight"]);
    expect(norm.parameters.size).toBe(4);
    expect(norm.statistics.size).toBe(4);
    expect(network.nodes.length).toBe(applied.nodes.length - 2);
  });

  test("changes nothing at the start", async () => {
    const network = await model.at(N);
    const before = await logitsOf(model, network, new Map());
    const after = await logitsOf(model, norm.apply(network), new Map());
    expect(apart(after, before)).toBeLessThan(1e-4);
    expect(after).not.toEqual(before); // it is there
  });

  test("normalises with the mean and variance of the convolution's output", async () => {
    const network = await model.at(N);
    const b = new GraphBuilder();
    const x = b.input("images", "float32", [N, 3, 8, 8]);
    const { tensor } = model.append(b, network, x, "model/");
    const conv = network.nodes.find(({ inputs }) => inputs[1] === "plain.weight")!;
    b.output("y", tensor(conv.outputs[0]!));
    await using program = await device.compile(b.build());
    const { images } = batchTensors(IMAGES, ascending(N));
    const y = values((await program.run({ images }))["y"]!); // [N,6,4,4]
    const [mean, variance] = [...norm.statistics.values()].map(values);
    for (let k = 0; k < 6; k++) {
      const channel = y.filter((_, at) => Math.floor(at / 16) % 6 === k);
      const m = channel.reduce((sum, v) => sum + v, 0) / channel.length;
      const v = channel.reduce((sum, v) => sum + (v - m) ** 2, 0) / channel.length;
      expect(mean![k]).toBeCloseTo(m, 5);
      expect(variance![k]).toBeCloseTo(v, 5);
    }
  });

  test("folds after tuning into a network that answers the same", async () => {
    const changed = tuned();
    const applied = norm.apply(await model.at(N));
    const before = await logitsOf(model, applied, changed);
    const folded = norm.fold(changed);
    expect([...folded.keys()].sort()).toEqual([...model.weights.keys()].sort());
    const repaired = model.withWeights(folded);
    const after = await logitsOf(repaired, await repaired.at(N), new Map());
    expect(apart(after, before)).toBeLessThan(1e-5);
    expect(apart(after, await logitsOf(model, await model.at(N), new Map()))).toBeGreaterThan(0.1);
  });

  test("leaves a model file that ONNX Runtime runs to the same scores", async () => {
    const file = newModelFile("m.onnx", model, {});
    const repaired = model.withWeights(norm.fold(tuned()));
    const exported = exportModel(file, repaired.changes, { note: "repaired" });
    expect(exported.model.graph!.node).toEqual(file.model.graph!.node);
    const { images } = batchTensors(IMAGES, ascending(N));
    const results = await runModel(toBinary(ModelProtoSchema, exported.model), { images });
    const ours = await logitsOf(repaired, await repaired.at(N), new Map());
    expect(apart(values(results["logits"]!), ours)).toBeLessThan(1e-5);
  });

  test("of a network without such convolutions is nothing", async () => {
    const b = new GraphBuilder();
    const images = b.input("images", "float32", [1, 3, 8, 8]);
    const y = conv(b, images, "bare", 6, { bias: false });
    const head = b.constant(fill(10, [6, CLASSES]), "head.weight");
    b.output("logits", b.matmul(pooled(b, y), head));
    const other = await Classifier.fromGraph(openBatch(b.build()), device);
    const context = { device, random: Random.fromSeed(0), emit: silent };
    const none = await ReinsertedBatchNorm.measure(context, other, IMAGES);
    expect(none.parameters.size).toBe(0);
    const network = await other.at(N);
    expect(none.apply(network).nodes).toEqual(network.nodes);
    expect(none.fold(other.weights)).toEqual(other.weights);
  });
});
