import { describe, expect, it } from "vitest";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { float32, toNumbers } from "../../src/core/tensor.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { newModelFile } from "../../src/models/new-file.ts";
import { predict } from "../../src/models/predict.ts";
import { usualPreprocessing } from "../../src/models/preprocessing.ts";
import { pretrainedClassifier } from "../../src/models/pretrained.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { type Graph, openBatch } from "../../src/onnx/graph.ts";
import { importGraph } from "../../src/onnx/import.ts";
import { TRAINING } from "../../src/train/config.ts";
import { train } from "../../src/train/loop.ts";
import { testDevice } from "../support/device.ts";
import { conv, noise, plainNet, pooled } from "../support/networks.ts";
import { startValue } from "../train/fill.ts";

const device = await testDevice();
const context = { device, random: Random.fromSeed(0), emit: silent };
const images = noise([0, 1, 2, 3, 4, 0, 1, 2], { side: 8 });
const threeClasses = { ...images, labels: images.labels.map((label) => label % 3) };
const three = { ...threeClasses, classNames: ["a", "b", "c"] };

/** As SqueezeNet ends: scores of every position by a 1×1 convolution, averaged, their number written down. */
function convolutionalHead(): Graph {
  const b = new GraphBuilder();
  const x = b.input("data", "float32", [1, 3, 8, 8]); // [N,3,8,8]
  const y = b.unary("Relu", conv(b, x, "conv1", 4));
  const w = b.constant(startValue(1, "head", [5, 4, 1, 1]), "head");
  const bias = b.constant(startValue(2, "bias", [5]), "bias");
  const scores = b.unary(
    "Relu",
    b.conv(y, w, bias, { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] }),
  );
  const lengths = b.ints([-1, 5]);
  const mean = b.op(
    "Reshape",
    [pooled(b, scores), lengths],
    {},
    { type: "float32", shape: [1, 5] },
  );
  b.output("scores", b.op("Softmax", [mean], { axis: 1 }, mean));
  return openBatch(b.build());
}

describe("pretrainedClassifier", () => {
  it("computes the same as the model with its preprocessing, from images in [0,1]", async () => {
    const plain = await Classifier.fromGraph(plainNet(8), device);
    const model = plain.withPreprocessing(usualPreprocessing("caffe", 3, ""));
    const start = await pretrainedClassifier(context, model, images);
    expect(start.preprocessing.mean).toEqual([0, 0, 0]);
    expect([...start.weights.keys()].sort()).toEqual([...model.weights.keys()].sort());
    const [before, after] = await Promise.all([
      predict(device, model, images),
      predict(device, start, images),
    ]);
    expect(after.classes).toEqual(before.classes);
  });

  it("gets an untrained last layer for other classes; all other weights stay", async () => {
    for (const graph of [plainNet(8), convolutionalHead()]) {
      const model = await Classifier.fromGraph(graph, device);
      const start = await pretrainedClassifier(context, model, three);
      expect(start.classes).toBe(3);
      const { weight } = model.roles.head;
      for (const [name, value] of start.weights) {
        const old = model.weights.get(name)!;
        if (name === weight) {
          expect(value.shape).toEqual(old.shape.with(0, 3));
          const values = toNumbers(value);
          const bound = 1 / Math.sqrt(old.shape[1]!);
          expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(bound);
          expect(new Set(values).size).toBe(values.length);
        } else if (old.shape[0] === 5) {
          expect(toNumbers(value)).toEqual([0, 0, 0]);
        } else expect(value).toEqual(old);
      }
    }
  });

  it("trains on, and its file computes what it computes", async () => {
    const model = await Classifier.fromGraph(convolutionalHead(), device);
    const start = await pretrainedClassifier(context, model, three);
    const config = TRAINING.parse({ epochs: 2, batch: 4, padding: 1, learningRate: 0.01 });
    const { classifier } = await train(context, { classifier: start, images: three }, config);
    const file = newModelFile("new.onnx", classifier, {});
    const read = await Classifier.fromGraph(importGraph(file), device);
    expect((await predict(device, read, three)).classes).toEqual(
      (await predict(device, classifier, three)).classes,
    );
    expect(read.weights.get("head")).toEqual(classifier.weights.get("head"));
    expect(read.weights.get("head")).not.toEqual(start.weights.get("head"));
  });

  it("refuses images of another size, and a preprocessing for other channels", async () => {
    const model = await Classifier.fromGraph(plainNet(8), device);
    const large = noise([0, 1], { side: 16 });
    await expect(pretrainedClassifier(context, model, large)).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      next: "Bring the images to its size: 8.",
    });
    expect(() => usualPreprocessing("mnist", 3, "--preprocessing")).toThrow("grey");
    expect(() => usualPreprocessing("imagenet", 1, "--preprocessing")).toThrow("colour");
  });

  it("refuses to replace a layer whose classes cannot be told from its inputs", async () => {
    const b = new GraphBuilder();
    const x = pooled(b, conv(b, b.input("images", "float32", [1, 3, 8, 8]), "conv1", 5));
    const w = b.constant(
      float32(
        [5, 5],
        new Float32Array(25).map((_, i) => i),
      ),
      "square",
    );
    b.output("logits", b.matmul(x, w));
    const model = await Classifier.fromGraph(openBatch(b.build()), device);
    await expect(pretrainedClassifier(context, model, three)).rejects.toMatchObject({
      code: "CLASSES_MISMATCH",
      place: "square",
    });
  });
});
