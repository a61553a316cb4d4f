import { sizeOf } from "../../src/core/tensor.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { type Graph, openBatch, type Value } from "../../src/onnx/graph.ts";
import { fill, startValue } from "../train/fill.ts";

/** A 3×3 convolution with padding 1 and constants `name.weight` and, if wanted, `name.bias`. */
export function conv(
  b: GraphBuilder,
  x: Value,
  name: string,
  width: number,
  { stride = 1, bias = true, seed = 0 } = {},
): Value {
  const weight = `${name}.weight`;
  const shape = [width, x.shape[1]!, 3, 3];
  const w = b.constant(startValue(seed, weight, shape), weight);
  const own = `${name}.bias`;
  const shift = bias ? b.constant(startValue(seed + 1, own, [width]), own) : undefined;
  const window = { strides: [stride, stride], dilations: [1, 1], pads: [1, 1, 1, 1] };
  return b.conv(x, w, shift, window);
}

/** Mean over all positions, flattened: [N,C,H,W] → [N,C], for any N. */
export function pooled(b: GraphBuilder, x: Value): Value {
  const [n, c] = x.shape as [number, number];
  const mean = b.op("GlobalAveragePool", [x], {}, { type: "float32", shape: [n, c, 1, 1] });
  return b.op("Flatten", [mean], {}, { type: "float32", shape: [n, c] });
}

/** A linear layer with constants `fc.weight` [K,d] and `fc.bias` [K]. */
export function linear(b: GraphBuilder, x: Value, classes: number, seed = 0): Value {
  const [n, d] = x.shape as [number, number];
  const weight = b.constant(startValue(seed, "fc.weight", [classes, d]), "fc.weight");
  const bias = b.constant(startValue(seed + 1, "fc.bias", [classes]), "fc.bias");
  const result = { type: "float32", shape: [n, classes] } as const;
  return b.op("Gemm", [x, weight, bias], { transB: 1 }, result);
}

/** The class `Plain` of `test/repairs/goldens/generate_repairs.py`: two convolutions with biases, no batch norm. */
export function plainNet(side: number, classes = 5): Graph {
  const b = new GraphBuilder();
  const images = b.input("images", "float32", [1, 3, side, side]); // [N,3,S,S]
  const x = b.unary("Relu", conv(b, images, "conv1", 4, { seed: 0 }));
  const y = b.unary("Relu", conv(b, x, "conv2", 6, { stride: 2, seed: 2 }));
  b.output("logits", linear(b, pooled(b, y), classes, 4));
  return openBatch(b.build());
}

/** A linear layer on pixels: its latents are the images themselves, [N,3·S·S]. */
export function flatNet(side: number, classes = 5): Graph {
  const b = new GraphBuilder();
  const images = b.input("images", "float32", [1, 3, side, side]); // [N,3,S,S]
  const flat = b.op("Flatten", [images], {}, { type: "float32", shape: [1, 3 * side * side] });
  b.output("logits", linear(b, flat, classes));
  return openBatch(b.build());
}

/** Images in which nothing is to be seen, [n,3,side,side], with the given labels. */
export function noise(
  labels: readonly number[],
  { side = 8, classes = 5, seed = 7 }: { side?: number; classes?: number; seed?: number } = {},
): ImageSet {
  const shape = [labels.length, 3, side, side];
  const images = Uint8Array.from(fill(seed, shape).data, (v) =>
    Math.floor(((v + 1) / 2) * 255.999),
  );
  return {
    channels: 3,
    height: side,
    width: side,
    images: images.subarray(0, sizeOf(shape)),
    labels: Int32Array.from(labels),
    classNames: Array.from({ length: classes }, (_, k) => `class ${k}`),
  };
}
