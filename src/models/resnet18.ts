import type { Random } from "../core/random.ts";
import { type FloatTensor, float32, sizeOf } from "../core/tensor.ts";
import type { Geometry } from "../data/images.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import type { Graph, Value } from "../onnx/graph.ts";

export interface ResNetOptions extends Geometry {
  readonly classes: number;
  /** Channels of the first of four stages; each following stage has twice as many. The paper's is 64. */
  readonly baseWidth: number;
  /** Per channel, in units of [0,1]: the graph begins with (x − mean)/std. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/**
 * ResNet-18 for small images (He et al. 2016, with the stem that is usual for CIFAR: one 3×3
 * convolution, no pooling), freshly initialised. Weights are named as in torchvision
 * (`layer1.0.conv1.weight`, `layer1.0.bn1.running_mean`, `fc.bias`, …) and start as there:
 * convolutions from N(0, 2/(out·k²)), the last layer from U(±1/√in), batch norm as the identity.
 * Batch norm is in its inference form, so the graph is the file that is exported; training rewrites it.
 *
 * @returns a graph with the input `input` [N,C,H,W], R,G,B in [0,1], and the output `logits` [N,K], for any N
 */
export function resnet18(options: ResNetOptions, random: Random): Graph {
  const { channels, height, width, classes, baseWidth } = options;
  const b = new GraphBuilder("resnet18/");
  const input = b.input("input", "float32", [1, channels, height, width]); // [N,C,H,W]
  const net = new Writer(b, random);

  let x = normalised(b, input, options);
  x = b.unary("Relu", net.batchNorm("bn1", net.conv("conv1", x, baseWidth, 3)));
  for (let stage = 0; stage < 4; stage++) {
    const planes = baseWidth * 2 ** stage;
    for (let block = 0; block < 2; block++) {
      const stride = stage > 0 && block === 0 ? 2 : 1;
      x = net.block(`layer${stage + 1}.${block}`, x, planes, stride);
    }
  }
  b.output("logits", net.head("fc", x, classes));

  const graph = b.build();
  // Every operation above keeps or ignores N, so the batch size may be left free.
  const inputs = graph.inputs.map((value) => ({
    ...value,
    shape: [null, ...value.shape.slice(1)],
  }));
  const { opset, outputs, nodes, constants } = graph;
  return { opset, inputs, outputs, nodes, constants };
}

function normalised(b: GraphBuilder, x: Value, { channels, mean, std }: ResNetOptions): Value {
  const perChannel = (name: string, values: readonly number[]) =>
    b.constant(float32([1, channels, 1, 1], values), name);
  return b.div(b.sub(x, perChannel("mean", mean)), perChannel("std", std));
}

/** Writes layers with freshly drawn weights. Every tensor has a random stream of its own name. */
class Writer {
  readonly #b: GraphBuilder;
  readonly #random: Random;

  constructor(b: GraphBuilder, random: Random) {
    this.#b = b;
    this.#random = random;
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

  /** A square convolution without bias that keeps the extents, divided by the stride. */
  conv(name: string, x: Value, planes: number, kernel: number, stride = 1): Value {
    const shape = [planes, x.shape[1]!, kernel, kernel]; // [K,C,k,k]
    const deviation = Math.sqrt(2 / (planes * kernel * kernel)); // Kaiming, fan-out, ReLU
    const weight = this.#draw(`${name}.weight`, shape, (random) => random.normal(0, deviation));
    const pad = (kernel - 1) / 2;
    const window = { strides: [stride, stride], dilations: [1, 1], pads: [pad, pad, pad, pad] };
    return this.#b.conv(x, weight, undefined, window);
  }

  /** Per-channel γ(x − mean)/√(var + 1e-5) + β with running statistics. */
  batchNorm(name: string, x: Value): Value {
    const vector = (field: string, value: number) =>
      this.#b.constant(
        float32([x.shape[1]!], new Float32Array(x.shape[1]!).fill(value)),
        `${name}.${field}`,
      );
    const parameters = [
      vector("weight", 1),
      vector("bias", 0),
      vector("running_mean", 0),
      vector("running_var", 1),
    ];
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
    const weight = this.#draw(`${name}.weight`, [classes, planes], uniform); // [K,d]
    const bias = this.#draw(`${name}.bias`, [classes], uniform);
    const shape = [n, classes];
    return b.op("Gemm", [latent, weight, bias], { transB: 1 }, { type: x.type, shape });
  }

  #draw(name: string, shape: readonly number[], next: (random: Random) => number): Value {
    const random = this.#random.fork(name);
    const drawn: FloatTensor = float32(
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => next(random)),
    );
    return this.#b.constant(drawn, name);
  }
}
