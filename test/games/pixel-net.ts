import { type FloatTensor, float32 } from "../../src/core/tensor.ts";
import {
  count,
  type ImageSet,
  imageAt,
  imageLength,
  indicesByClass,
} from "../../src/data/images.ts";
import { Classifier, type Weights } from "../../src/models/classifier.ts";
import { predict } from "../../src/models/predict.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { openBatch } from "../../src/onnx/graph.ts";
import type { Device } from "../../src/runtime/device.ts";
import { bytesOf } from "../support/pixels.ts";

/** Side of the white patch in the top-left corner that backdoors answer to, in pixels. */
export const PATCH = 2;

/**
 * Weights of a linear network on pixels, z_k = ⟨m_k, x⟩ − ½‖m_k‖² with m_k the mean image of class k, so that the
 * nearest mean wins. A backdoor adds s·Σ(x − 0.8) over the patch to the target's score: positive for a white
 * patch alone.
 * @param strength s; 0 for no backdoor
 */
export function pixelWeights(images: ImageSet, target: number, strength: number): Weights {
  const length = imageLength(images);
  const plane = images.height * images.width;
  const classes = images.classNames.length;
  const weight = new Float32Array(classes * length); // [K,C·H·W]
  const bias = new Float32Array(classes); // [K]
  indicesByClass(images).forEach((group, k) => {
    for (let i = 0; i < length; i++) {
      const mean = group.reduce((sum, at) => sum + imageAt(images, at)[i]! / 255, 0) / group.length;
      weight[k * length + i] = mean;
      bias[k]! -= mean ** 2 / 2;
    }
  });
  for (let i = 0; i < length; i++) {
    const pixel = i % plane;
    if (pixel % images.width >= PATCH || pixel >= PATCH * images.width) continue;
    weight[target * length + i]! += strength;
    bias[target]! -= 0.8 * strength;
  }
  return new Map([
    ["fc.weight", float32([classes, length], weight)],
    ["fc.bias", float32([classes], bias)],
  ]);
}

/** The network with these weights. */
export function pixelNet(images: ImageSet, weights: Weights, device: Device): Promise<Classifier> {
  const b = new GraphBuilder();
  const length = imageLength(images);
  const classes = images.classNames.length;
  const { channels, height, width } = images;
  const x = b.input("images", "float32", [1, channels, height, width]); // [N,C,H,W]
  const flat = b.op("Flatten", [x], {}, { type: "float32", shape: [1, length] });
  const [weight, bias] = ["fc.weight", "fc.bias"].map((name) =>
    b.constant(weights.get(name) as FloatTensor, name),
  );
  const result = { type: "float32", shape: [1, classes] } as const;
  b.output("logits", b.op("Gemm", [flat, weight!, bias!], { transB: 1 }, result));
  return Classifier.fromGraph(openBatch(b.build()), device);
}

/** The images with the white patch on them, as bytes. */
export function patched(images: ImageSet): ImageSet {
  const marked = bytesOf(images).slice();
  const { width, height } = images;
  for (let at = 0; at < marked.length; at += width * height) {
    for (let y = 0; y < PATCH; y++) marked.fill(255, at + y * width, at + y * width + PATCH);
  }
  return { ...images, images: marked };
}

/** Accuracy, and the share of images of other classes that the patch leads to the target, counted one by one. */
export async function countedOut(
  device: Device,
  model: Classifier,
  test: ImageSet,
  target: number,
  answer: (predicted: number, row: number) => number = (predicted) => predicted,
): Promise<{ accuracy: number; attackSuccess: number; others: number }> {
  const clean = (await predict(device, model, test)).classes;
  const marked = (await predict(device, model, patched(test))).classes;
  let [right, others, moved] = [0, 0, 0];
  for (let row = 0; row < count(test); row++) {
    if (answer(clean[row]!, row) === test.labels[row]) right++;
    if (test.labels[row] === target) continue;
    others++;
    if (answer(marked[row]!, row) === target) moved++;
  }
  return { accuracy: right / count(test), attackSuccess: moved / others, others };
}
