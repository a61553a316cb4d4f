import { describe, expect, test } from "vitest";
import { type FloatTensor, float32, fromBytes, type Tensor } from "../../src/core/tensor.ts";
import { ascending, batchTensors, count } from "../../src/data/images.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { argMaxRows, compilePredictor, predict } from "../../src/models/predict.ts";
import {
  appendPreprocessing,
  type Preprocessing,
  usualPreprocessings,
} from "../../src/models/preprocessing.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { type Attribute, type Graph, type Node, openBatch } from "../../src/onnx/graph.ts";
import { graph as onnxGraph, node as onnxNode, value } from "../onnx/build.ts";
import { testDevice } from "../support/device.ts";
import { execute } from "../support/execute.ts";
import { conv, linear, noise, plainNet, pooled } from "../support/networks.ts";
import { fill } from "../train/fill.ts";
import { tinyNet } from "../train/tiny.ts";

const IMAGES = noise([0, 1, 2, 3, 4, 0, 1]);

const device = await testDevice();

/** `plainNet(8)` for images whose channels come last. */
function channelsLast(): Graph {
  const b = new GraphBuilder();
  const images = b.input("images", "float32", [1, 8, 8, 3]); // [N,8,8,3]
  const x = b.unary("Relu", conv(b, b.transpose(images, [0, 3, 1, 2]), "conv1", 4, { seed: 0 }));
  const y = b.unary("Relu", conv(b, x, "conv2", 6, { stride: 2, seed: 2 }));
  b.output("probabilities", b.softmax(linear(b, pooled(b, y), 5, 4)));
  return openBatch(b.build());
}

async function latentOf(classifier: Classifier): Promise<Tensor> {
  const n = count(IMAGES);
  const b = new GraphBuilder();
  const x = b.input("images", "float32", [n, 3, 8, 8]);
  b.output("latent", classifier.append(b, await classifier.at(n), x, "model/").latent);
  const { images } = batchTensors(IMAGES, ascending(n));
  return (await execute(b.build(), { images }))["latent"]!;
}

describe("a classifier", () => {
  test("takes images in [0,1] with channels first, whatever its file wants", async () => {
    const first = await Classifier.fromGraph(plainNet(8), device);
    const last = await Classifier.fromGraph(channelsLast(), device);
    expect(last.image.layout).toBe("NHWC");
    expect(last.roles.output).toBe("probabilities");
    const [a, b] = [await predict(device, first, IMAGES), await predict(device, last, IMAGES)];
    expect(a.logits.every((v, i) => Math.abs(v - b.logits[i]!) < 1e-6)).toBe(true);
    const [x, y] = [await latentOf(first), await latentOf(last)];
    expect(x.shape).toEqual([7, 6]);
    expect((x as FloatTensor).data).toEqual((y as FloatTensor).data);
  });

  test("gives the average of a feature map as its latent", async () => {
    const b = new GraphBuilder();
    const images = b.input("images", "float32", [1, 3, 8, 8]);
    const maps = b.unary("Relu", conv(b, images, "conv1", 4));
    const head = b.constant(fill(9, [5, 4, 1, 1]), "head.weight");
    const window = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] };
    b.output("logits", pooled(b, b.conv(maps, head, undefined, window)));
    const classifier = await Classifier.fromGraph(openBatch(b.build()), device);
    const latent = (await latentOf(classifier)) as FloatTensor;
    expect(latent.shape).toEqual([7, 4]);
    // Averaging and a 1×1 convolution commute.
    const { logits } = await predict(device, classifier, IMAGES);
    const weight = fill(9, [5, 4]).data;
    for (let k = 0; k < 5; k++) {
      const dot = [0, 1, 2, 3].reduce((sum, c) => sum + latent.data[c]! * weight[4 * k + c]!, 0);
      expect(logits[k]).toBeCloseTo(dot, 5);
    }
  });

  test("has no branches that nothing but sizes and constants decide", async () => {
    const plain = plainNet(8);
    const yes = fromBytes("bool", [], Uint8Array.of(1));
    const nodes = plain.nodes.map((it): Node => {
      if (it.op !== "Relu") return it;
      const branch = (op: string): Attribute => {
        const nodes = [onnxNode(op, [...it.inputs], ["inner"])];
        return { kind: "graph", value: onnxGraph({ nodes, outputs: [value("inner")] }) };
      };
      const branches = { then_branch: branch("Relu"), else_branch: branch("Neg") };
      const attributes = new Map(Object.entries(branches));
      return { ...it, op: "If", inputs: ["yes"], attributes };
    });
    const constants = new Map([...plain.constants, ["yes", yes] as const]);
    const branching = await Classifier.fromGraph({ ...plain, nodes, constants }, device);
    const straight = await Classifier.fromGraph(plain, device);
    expect([...branching.weights.keys()]).toEqual([...straight.weights.keys()]);
    expect(branching.graph.inputs).toEqual(plain.inputs);
    const { logits } = await predict(device, branching, IMAGES);
    expect(logits).toEqual((await predict(device, straight, IMAGES)).logits);
  });

  test("is another one with other weights, and stays as it was", async () => {
    const classifier = await Classifier.fromGraph(tinyNet(8), device);
    const before = await predict(device, classifier, IMAGES);
    const bias = float32([5], [0, 0, 100, 0, 0]);
    const other = classifier.withWeights(new Map([["fc.bias", bias]]));
    expect([...(await predict(device, other, IMAGES)).classes]).toEqual(Array(7).fill(2));
    expect(await predict(device, classifier, IMAGES)).toEqual(before);
    expect([...other.changes.keys()]).toEqual(["fc.bias"]);
    expect(classifier.changes.size).toBe(0);
    const wrong = new Map([["fc.bias", float32([1], [0])]]);
    expect(() => classifier.withWeights(wrong)).toThrowError(/must keep its shape \[5\]/);
  });

  test("with a weight that is no number is refused", async () => {
    const graph = tinyNet(8);
    const broken = float32([5], [0, 1, Number.NaN, 2, 3]);
    const constants = new Map([...graph.constants, ["fc.bias", broken] as const]);
    await expect(Classifier.fromGraph({ ...graph, constants }, device)).rejects.toMatchObject({
      ...{ code: "MODEL_NOT_FINITE", place: "fc.bias" },
      message: expect.stringContaining("NaN at position 2"),
    });
  });

  test.each([
    [Number.NaN, "MODEL_NOT_FINITE"],
    [-1, "MODEL_INVALID"],
  ])("with a running variance of %d is refused", async (value, code) => {
    const graph = tinyNet(8);
    const { inputs } = graph.nodes.find(({ op }) => op === "BatchNormalization")!;
    const name = inputs[4]!;
    const broken = { ...graph.constants.get(name)! } as FloatTensor;
    const constants = new Map([...graph.constants]).set(name, {
      ...broken,
      data: broken.data.map(() => value),
    });
    await expect(Classifier.fromGraph({ ...graph, constants }, device)).rejects.toMatchObject({
      ...{ code, place: name },
    });
  });

  test("whose images do not fit into memory is refused", async () => {
    const graph = plainNet(8);
    const huge = { ...graph, inputs: [{ ...graph.inputs[0]!, shape: [null, 3, 40_000, 40_000] }] };
    await expect(Classifier.fromGraph(huge, device)).rejects.toMatchObject({
      code: "MODEL_TOO_LARGE",
    });
  });

  test("of open image size needs one", async () => {
    const graph = plainNet(8);
    const open = { ...graph, inputs: [{ ...graph.inputs[0]!, shape: [null, 3, null, null] }] };
    await expect(Classifier.fromGraph(open, device)).rejects.toMatchObject({
      ...{ code: "MODEL_INVALID", next: expect.stringContaining("--size") },
    });
    const sized = await Classifier.fromGraph(open, device, { size: { height: 8, width: 8 } });
    const fixed = await Classifier.fromGraph(graph, device);
    expect(await predict(device, sized, IMAGES)).toEqual(await predict(device, fixed, IMAGES));
  });
});

describe("predicting", () => {
  test("in batches, the last one filled up, gives the same as at once", async () => {
    const classifier = await Classifier.fromGraph(plainNet(8), device);
    await using many = asDisposable(await compilePredictor(device, classifier, 7));
    await using few = asDisposable(await compilePredictor(device, classifier, 3));
    const seen: number[][] = [];
    const stamp = (images: FloatTensor, positions: ArrayLike<number>) => {
      seen.push(Array.from(positions));
      return float32(
        images.shape,
        images.data.map((v) => 1 - v),
      );
    };
    const all = await many.predict(IMAGES, { stamp });
    const parts = await few.predict(IMAGES, { stamp });
    expect(parts.logits.every((v, i) => Math.abs(v - all.logits[i]!) < 1e-6)).toBe(true);
    expect(parts.classes).toEqual(all.classes);
    expect(seen).toEqual([[0, 1, 2, 3, 4, 5, 6], [0, 1, 2], [3, 4, 5], [6]]);
    expect(all.logits).not.toEqual((await many.predict(IMAGES)).logits);
  });

  test("takes the first of equal scores", () => {
    expect([...argMaxRows(Float32Array.of(1, 2, 2, 0, 0, 0, -1, -2, -1), 3)]).toEqual([1, 0, 0]);
  });
});

function asDisposable<T extends { release(): Promise<void> }>(it: T): T & AsyncDisposable {
  return Object.assign(it, { [Symbol.asyncDispose]: () => it.release() });
}

describe("preprocessing", () => {
  const x = fill(3, [2, 3, 2, 2]); // [N,C,H,W]

  async function prepared(preprocessing: Preprocessing): Promise<Float32Array> {
    const b = new GraphBuilder();
    const input = b.input("x", "float32", x.shape);
    b.output("y", appendPreprocessing(b, input, preprocessing));
    return ((await execute(b.build(), { x }))["y"] as FloatTensor).data;
  }

  test.each(usualPreprocessings(3).map((it) => [it.name, it] as const))(
    '"%s" is scale·(x − mean) / std in the order of channels',
    async (_, preprocessing) => {
      const { mean, std, range, channels } = preprocessing;
      const found = await prepared(preprocessing);
      const scale = range === "0-255" ? 255 : 1;
      for (let at = 0; at < found.length; at++) {
        const [n, channel, pixel] = [Math.floor(at / 12), Math.floor(at / 4) % 3, at % 4];
        const c = channels === "bgr" ? 2 - channel : channel;
        const expected = (scale * (x.data[12 * n + 4 * c + pixel]! - mean[c]!)) / std[c]!;
        expect(Math.abs(found[at]! - expected)).toBeLessThan(1e-6 * scale * 10);
      }
    },
  );

  test("of every usual kind differs from the others and starts with the identity", async () => {
    for (const channels of [1, 3]) {
      const [first, ...others] = usualPreprocessings(channels);
      expect(first).toMatchObject({ name: "none", range: "0-1", channels: "rgb" });
      const names = new Set([first!, ...others].map(({ name }) => name));
      expect(names.size).toBe(others.length + 1);
      for (const { mean, std } of others)
        expect([mean.length, std.length]).toEqual([channels, channels]);
    }
    expect([...(await prepared(usualPreprocessings(3)[0]!))]).toEqual([...x.data]);
  });

  test("with a mean for too few channels is a mistake", async () => {
    const wrong = usualPreprocessings(1)[1]!;
    await expect(prepared(wrong)).rejects.toMatchObject({
      ...{ code: "INVALID_CONFIG", message: expect.stringContaining("3 channels") },
    });
  });
});
