import { Random } from "../../src/core/random.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { type Graph, openBatch, type Value } from "../../src/onnx/graph.ts";
import { conv, linear, pooled } from "./networks.ts";

const SIDE = 16;

/** What the classes show at row y and column x, −1 … 1. */
const TEXTURES: Readonly<Record<string, (x: number, y: number) => number>> = {
  lying: (_, y) => Math.sin(1.6 * y),
  standing: (x) => Math.sin(1.6 * x),
  rising: (x, y) => Math.sin(1.1 * (x + y)),
  falling: (x, y) => Math.sin(1.1 * (x - y)),
  plain: () => 0,
  waving: (x, y) => Math.sin(0.5 * x) * Math.sin(0.5 * y),
};

/** Textures in any colour, at any phase, under noise: [n,3,16,16] of six classes in turn. */
export function textures(total: number, seed: number): ImageSet {
  const random = Random.fromSeed(seed);
  const draw = Object.values(TEXTURES);
  const area = SIDE * SIDE;
  const images = new Uint8ClampedArray(total * 3 * area);
  const labels = Int32Array.from({ length: total }, (_, i) => i % draw.length);
  for (let i = 0; i < total; i++) {
    const [right, down] = [random.uniform(0, 20), random.uniform(0, 20)];
    const base = [0, 1, 2].map(() => random.uniform(90, 165));
    const tint = [0, 1, 2].map(() => random.uniform(30, 60));
    for (let at = 0; at < area; at++) {
      const value = draw[labels[i]!]!((at % SIDE) + right, Math.floor(at / SIDE) + down);
      for (let c = 0; c < 3; c++) {
        images[(3 * i + c) * area + at] = base[c]! + tint[c]! * value + random.normal(0, 12);
      }
    }
  }
  return {
    ...{ channels: 3, height: SIDE, width: SIDE, labels, classNames: Object.keys(TEXTURES) },
    images: new Uint8Array(images.buffer),
  };
}

/** An untrained network for them: three convolutions with batch norm, 12 to 32 channels wide. */
export function textureNet(): Graph {
  const b = new GraphBuilder();
  const block = (x: Value, name: string, width: number, stride: number, seed: number): Value => {
    const y = conv(b, x, name, width, { stride, seed, bias: false });
    const [scale, shift, mean, variance] = [1, 0, 0, 1].map((value, i) => {
      const data = new Float32Array(width).fill(value);
      return b.constant({ type: "float32", shape: [width], data }, `${name}.norm.${i}`);
    });
    return b.unary("Relu", b.op("BatchNormalization", [y, scale, shift, mean, variance], {}, y));
  };
  const images = b.input("images", "float32", [1, 3, SIDE, SIDE]); // [N,3,16,16]
  const x = block(images, "conv1", 12, 1, 0);
  const y = block(block(x, "conv2", 24, 2, 1), "conv3", 32, 2, 2);
  b.output("logits", linear(b, pooled(b, y), Object.keys(TEXTURES).length, 3));
  return openBatch(b.build());
}
