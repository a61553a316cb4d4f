import type { Random } from "../core/random.ts";
import { type FloatTensor, float32, type Shape, sizeOf } from "../core/tensor.ts";
import type { Geometry } from "../data/images.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import { type Graph, openBatch, type Value } from "../onnx/graph.ts";
import { windowedExtents } from "../onnx/shapes.ts";

/** What decides the shapes of the parameters. */
export interface ResNetShape {
  readonly channels: number;
  readonly classes: number;
  /** Channels of the first of four stages; each following stage has twice as many. The paper's is 64. */
  readonly baseWidth: number;
  /**
   * How the network begins: "cifar" (default), one 3×3 convolution, for small images; "imagenet", one of 7×7 with
   * stride 2 and a maximum over 3×3 with stride 2, as in the paper.
   */
  readonly stem?: "cifar" | "imagenet" | undefined;
}

export interface ResNetOptions extends Geometry, ResNetShape {
  /** Per channel, in units of [0,1]: the graph begins with (x − mean)/std; without them it takes x as it is. */
  readonly mean?: readonly number[] | undefined;
  readonly std?: readonly number[] | undefined;
}

/** The value of a parameter: `fresh` draws that of an untrained network. */
type Values = (name: string, shape: Shape, fresh: (random: Random) => number) => FloatTensor;

const KERNEL = { cifar: 3, imagenet: 7 } as const;

/**
 * ResNet-18 (He et al. 2016), freshly initialised. Weights are named as in torchvision
 * (`layer1.0.conv1.weight`, `layer1.0.bn1.running_mean`, `fc.bias`, …) and start as there:
 * convolutions from N(0, 2/(out·k²)), the last layer from U(±1/√in), batch norm as the identity.
 * Batch norm is in its inference form, so the graph is the file that is exported; training rewrites it.
 *
 * @returns a graph with the input `input` [N,C,H,W], R,G,B in [0,1], and the output `logits` [N,K], for any N
 */
export function resnet18(options: ResNetOptions, random: Random): Graph {
  return network(options, (name, shape, fresh) => {
    const own = random.fork(name);
    return float32(
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => fresh(own)),
    );
  });
}

/** The same network with given parameters: those of `resnet18Parameters`, in these shapes. */
export function resnet18With(
  options: ResNetOptions,
  parameters: ReadonlyMap<string, FloatTensor>,
): Graph {
  return network(options, (name) => parameters.get(name)!);
}

/** Names and shapes of all parameters and running statistics. */
export function resnet18Parameters({
  channels,
  classes,
  baseWidth,
  stem = "cifar",
}: ResNetShape): Map<string, Shape> {
  const shapes = new Map<string, Shape>();
  const norm = (name: string, planes: number) => {
    for (const field of NORM_FIELDS) shapes.set(`${name}.${field}`, [planes]);
  };
  const kernel = KERNEL[stem];
  shapes.set("conv1.weight", [baseWidth, channels, kernel, kernel]);
  norm("bn1", baseWidth);
  let before = baseWidth;
  for (const { name, planes } of blocks(baseWidth)) {
    shapes.set(`${name}.conv1.weight`, [planes, before, 3, 3]);
    norm(`${name}.bn1`, planes);
    shapes.set(`${name}.conv2.weight`, [planes, planes, 3, 3]);
    norm(`${name}.bn2`, planes);
    if (planes !== before) {
      shapes.set(`${name}.downsample.0.weight`, [planes, before, 1, 1]);
      norm(`${name}.downsample.1`, planes);
    }
    before = planes;
  }
  shapes.set("fc.weight", [classes, before]);
  shapes.set("fc.bias", [classes]);
  return shapes;
}

const NORM_FIELDS = ["weight", "bias", "running_mean", "running_var"];

/** The eight blocks in order: two in each of four stages. */
function blocks(baseWidth: number) {
  return [0, 1, 2, 3].flatMap((stage) =>
    [0, 1].map((block) => ({
      name: `layer${stage + 1}.${block}`,
      planes: baseWidth * 2 ** stage,
      stride: stage > 0 && block === 0 ? 2 : 1,
    })),
  );
}

function network(options: ResNetOptions, values: Values): Graph {
  const { channels, height, width, classes, baseWidth, stem = "cifar" } = options;
  const b = new GraphBuilder("resnet18/");
  const input = b.input("input", "float32", [1, channels, height, width]); // [N,C,H,W]
  const net = new Writer(b, values);

  let x = normalised(b, input, options);
  x = net.conv("conv1", x, baseWidth, KERNEL[stem], stem === "imagenet" ? 2 : 1);
  x = b.unary("Relu", net.batchNorm("bn1", x));
  if (stem === "imagenet") x = pooled(b, x);
  for (const { name, planes, stride } of blocks(baseWidth)) x = net.block(name, x, planes, stride);
  b.output("logits", net.head("fc", x, classes));

  return openBatch(b.build());
}

function normalised(b: GraphBuilder, x: Value, { channels, mean, std }: ResNetOptions): Value {
  if (!mean || !std) return x;
  const perChannel = (name: string, values: readonly number[]) =>
    b.constant(float32([1, channels, 1, 1], values), name);
  return b.div(b.sub(x, perChannel("mean", mean)), perChannel("std", std));
}

/** Maximum over 3×3 with stride 2 and padding 1: [N,C,H,W] → [N,C,⌈H/2⌉,⌈W/2⌉]. */
function pooled(b: GraphBuilder, x: Value): Value {
  const window = { strides: [2, 2], pads: [1, 1, 1, 1], dilations: [1, 1], kernel: [3, 3] };
  const shape = [...x.shape.slice(0, 2), ...windowedExtents(x.shape.slice(2), window)];
  const { strides, pads, kernel } = window;
  return b.op("MaxPool", [x], { kernel_shape: kernel, strides, pads }, { type: x.type, shape });
}

/** Writes layers with their parameters. */
class Writer {
  readonly #b: GraphBuilder;
  readonly #values: Values;

  constructor(b: GraphBuilder, values: Values) {
    this.#b = b;
    this.#values = values;
  }

  /** Two 3×3 convolutions beside a shortcut, [N,C,H,W] → [N,planes,H/stride,W/stride]. */
  block(name: string, x: Value, planes: number, stride: number): Value {
    const b = this.#b;
    let y = this.conv(`${name}.conv1`, x, planes, 3, stride);
    y = b.unary("Relu", this.batchNorm(`${name}.bn1`, y));
    y = this.batchNorm(`${name}.bn2`, this.conv(`${name}.conv2`, y, planes, 3));
    const isSameShape = stride === 1 && x.shape[1] === planes;
    const shortcut = isSameShape
      ? x
      : this.batchNorm(
          `${name}.downsample.1`,
          this.conv(`${name}.downsample.0`, x, planes, 1, stride),
        );
    return b.unary("Relu", b.add(y, shortcut));
  }

  /** A square convolution without bias that keeps the extents, divided by the stride and rounded up. */
  conv(name: string, x: Value, planes: number, kernel: number, stride = 1): Value {
    const shape = [planes, x.shape[1]!, kernel, kernel]; // [K,C,k,k]
    const deviation = Math.sqrt(2 / (planes * kernel * kernel)); // Kaiming, fan-out, ReLU
    const weight = this.#value(`${name}.weight`, shape, (random) => random.normal(0, deviation));
    const pad = (kernel - 1) / 2;
    const window = { strides: [stride, stride], dilations: [1, 1], pads: [pad, pad, pad, pad] };
    return this.#b.conv(x, weight, undefined, window);
  }

  /** Per-channel γ(x − mean)/√(var + 1e-5) + β with running statistics. */
  batchNorm(name: string, x: Value): Value {
    const parameters = NORM_FIELDS.map((field) => {
      const start = field === "weight" || field === "running_var" ? 1 : 0;
      return this.#value(`${name}.${field}`, [x.shape[1]!], () => start);
    });
    return this.#b.op("BatchNormalization", [x, ...parameters], { epsilon: { float: 1e-5 } }, x);
  }

  /** Average over positions, then a linear layer: [N,C,H,W] → [N,classes]. */
  head(name: string, x: Value, classes: number): Value {
    const b = this.#b;
    const [n, planes] = x.shape as [number, number];
    const pooled = b.op("GlobalAveragePool", [x], {}, { type: x.type, shape: [n, planes, 1, 1] });
    const latent = b.op("Flatten", [pooled], { axis: 1 }, { type: x.type, shape: [n, planes] });
    const bound = 1 / Math.sqrt(planes);
    const uniform = (random: Random) => random.uniform(-bound, bound);
    const weight = this.#value(`${name}.weight`, [classes, planes], uniform); // [K,d]
    const bias = this.#value(`${name}.bias`, [classes], uniform);
    const shape = [n, classes];
    return b.op("Gemm", [latent, weight, bias], { transB: 1 }, { type: x.type, shape });
  }

  #value(name: string, shape: Shape, fresh: (random: Random) => number): Value {
    return this.#b.constant(this.#values(name, shape, fresh), name);
  }
}
