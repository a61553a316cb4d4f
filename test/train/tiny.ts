import { float32 } from "../../src/core/tensor.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import type { Graph, Value } from "../../src/onnx/graph.ts";
import { startValue } from "./fill.ts";

/**
 * The class `Tiny` of `goldens/make.py`: two convolutions with batch norm, average, linear layer, with the
 * start values of the formula. Images of `side`×`side`, five classes.
 */
export function tinyNet(side: number, classes = 5): Graph {
  const b = new GraphBuilder();
  let seed = 0;
  const parameter = (name: string, shape: number[]) =>
    b.constant(startValue(seed++, name, shape), name);
  const statistic = (name: string, width: number, value: number) =>
    b.constant(float32([width], new Float32Array(width).fill(value)), name);
  const block = (index: number, x: Value, width: number, stride: number): Value => {
    const weight = parameter(`conv${index}.weight`, [width, x.shape[1]!, 3, 3]);
    const window = { strides: [stride, stride], dilations: [1, 1], pads: [1, 1, 1, 1] };
    const y = b.conv(x, weight, undefined, window);
    const operands = [
      parameter(`bn${index}.weight`, [width]),
      parameter(`bn${index}.bias`, [width]),
      statistic(`bn${index}.running_mean`, width, 0),
      statistic(`bn${index}.running_var`, width, 1),
    ];
    return b.unary("Relu", b.op("BatchNormalization", [y, ...operands], {}, y));
  };
  const images = b.input("images", "float32", [1, 3, side, side]);
  const x = block(2, block(1, images, 4, 1), 6, 2);
  const pooled = b.op("GlobalAveragePool", [x], {}, { type: "float32", shape: [1, 6, 1, 1] });
  const latent = b.op("Flatten", [pooled], {}, { type: "float32", shape: [1, 6] });
  const weight = parameter("fc.weight", [classes, 6]);
  const bias = parameter("fc.bias", [classes]);
  const shape = [1, classes];
  const gemm = b.op("Gemm", [latent, weight, bias], { transB: 1 }, { type: "float32", shape });
  b.output("logits", gemm);
  const graph = b.build();
  const inputs = graph.inputs.map((input) => ({ ...input, shape: [null, 3, side, side] }));
  return { ...graph, inputs };
}
