import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { float32, sizeOf } from "../../src/core/tensor.ts";
import { trainableConstants } from "../../src/models/parameters.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { readOnnxFile } from "../../src/onnx/file.ts";
import type { Value } from "../../src/onnx/graph.ts";
import { importGraph } from "../../src/onnx/import.ts";
import { conv, linear, pooled } from "../support/networks.ts";
import { fill } from "../train/fill.ts";
import { tinyNet } from "../train/tiny.ts";

/** Names of the trainable constants of the network that `write` makes of images [2,3,8,8]. */
function trainable(write: (b: GraphBuilder, x: Value) => Value): string[] {
  const b = new GraphBuilder();
  const x = b.input("images", "float32", [2, 3, 8, 8]); // [N,3,8,8]
  b.output("out", write(b, x));
  return trainableConstants(b.build());
}

const LAYER = ["conv.weight", "conv.bias"];
const HEAD = ["fc.weight", "fc.bias"];

describe("trainable are", () => {
  test("weights and biases of layers and of batch norm, not its running statistics", () => {
    const graph = tinyNet(8);
    expect(trainableConstants(graph)).toEqual(
      [...graph.constants.keys()].filter((name) => !name.includes("running")),
    );
  });

  test("matrices of sums of products", () => {
    const found = trainable((b, x) => {
      const tokens = b.reshape(conv(b, x, "conv", 6), [2, 6, 64]);
      const matrix = b.constant(fill(7, [6, 6]), "matrix");
      const equation = "ncl,cd->ndl";
      const mixed = b.op("Einsum", [tokens, matrix], { equation }, tokens);
      return linear(b, pooled(b, b.reshape(mixed, [2, 6, 8, 8])), 5);
    });
    expect(found).toEqual([...LAYER, "matrix", ...HEAD]);
  });

  test("not the constants that normalise the input", () => {
    const names = trainable((b, x) => {
      const perChannel = [1, 3, 1, 1];
      const shifted = b.sub(x, b.constant(fill(1, perChannel), "mean"));
      const scaled = b.mul(shifted, b.constant(fill(2, perChannel), "scale"));
      const moved = b.add(scaled, b.constant(fill(3, perChannel), "shift"));
      return linear(b, pooled(b, conv(b, moved, "conv", 6)), 5);
    });
    expect(names).toEqual([...LAYER, ...HEAD]);
  });

  test("scales and biases of channels below the first layer, on either side", () => {
    const names = trainable((b, x) => {
      const y = b.mul(conv(b, x, "conv", 6), b.constant(fill(1, [1, 6, 1, 1]), "layer.scale"));
      const z = b.add(b.constant(fill(2, [6, 1, 1]), "layer.bias"), y);
      return linear(b, pooled(b, z), 5);
    });
    expect(names).toEqual([...LAYER, "layer.scale", "layer.bias", ...HEAD]);
  });

  test("not single numbers, integers, or divisors", () => {
    const names = trainable((b, x) => {
      const y = b.mul(conv(b, x, "conv", 6), b.constant(float32([1], [0.5]), "half"));
      const z = b.add(b.div(y, b.constant(fill(1, [6, 1, 1]), "divisor")), b.scalar(3));
      return linear(b, pooled(b, z), 5);
    });
    expect(names).toEqual([...LAYER, ...HEAD]);
  });

  test("matrices behind a transposition or shared through Identity, once", () => {
    const names = trainable((b, x) => {
      const matrix = b.constant(fill(1, [6, 6]), "matrix"); // [d,d]
      const z = pooled(b, conv(b, x, "conv", 6)); // [N,d]
      const first = b.matmul(z, b.transpose(matrix, [1, 0]));
      return linear(b, b.matmul(first, b.unary("Identity", matrix)), 5);
    });
    expect(names).toEqual([...LAYER, "matrix", ...HEAD]);
  });

  describe.each([-Infinity, -3.4e38])("an operand that holds %d", (hidden) => {
    const hiding = (shape: number[]) => {
      const values = fill(4, shape);
      values.data[1] = hidden;
      return values;
    };
    /** Attention of 64 positions to one another: scores [N,64,64], made by `masked`, weigh features [N,6,64]. */
    const attending = (masked: (b: GraphBuilder, scores: Value) => Value) =>
      trainable((b, x) => {
        const tokens = b.reshape(conv(b, x, "conv", 6), [2, 6, 64]);
        const scores = masked(b, b.matmul(b.transpose(tokens, [0, 2, 1]), tokens));
        const weights = b.op("Softmax", [scores], { axis: -1 }, scores);
        const mixed = b.reshape(b.matmul(tokens, weights), [2, 6, 8, 8]);
        return linear(b, pooled(b, mixed), 5);
      });

    test("not if it masks attention, whatever else is added to the scores", () => {
      const mask = (b: GraphBuilder, scores: Value) =>
        b.add(scores, b.constant(hiding([64, 64]), "mask"));
      expect(attending(mask)).toEqual([...LAYER, ...HEAD]);
      const both = attending((b, scores) =>
        b.add(mask(b, scores), b.constant(fill(5, [64, 64]), "position")),
      );
      expect(both).toEqual([...LAYER, "position", ...HEAD]);
    });

    test("if it is the bias of a layer, or what is added to class scores", () => {
      const bias = attending((b, scores) => {
        const layer = b.matmul(scores, b.constant(fill(6, [64, 64]), "matrix"));
        return b.add(layer, b.constant(hiding([64]), "bias"));
      });
      expect(bias).toEqual([...LAYER, "matrix", "bias", ...HEAD]);
      const classes = trainable((b, x) => {
        const logits = b.unary("Relu", linear(b, pooled(b, conv(b, x, "conv", 6)), 5));
        const scores = b.add(logits, b.constant(hiding([5]), "bias"));
        return b.op("Softmax", [scores], { axis: -1 }, scores);
      });
      expect(classes).toEqual([...LAYER, ...HEAD, "bias"]);
    });
  });

  test("no factors of sizes", () => {
    const names = trainable((b, x) => {
      const y = conv(b, x, "conv", 6);
      const sizes = b.op("Shape", [y], {}, { type: "int64", shape: [4] });
      const factors = b.constant(float32([4], [1, 1, 2, 2]), "factors");
      const larger = b.cast(b.mul(b.cast(sizes, "float32"), factors), "int64");
      return linear(b, pooled(b, b.op("Resize", [y, undefined, undefined, larger], {}, y)), 5);
    });
    expect(names).toEqual([...LAYER, ...HEAD]);
  });

  test("neither the other operand of an addition nor what is computed", () => {
    const names = trainable((b, x) => {
      const y = conv(b, x, "conv", 6);
      return linear(b, pooled(b, b.add(y, b.mul(y, y))), 5);
    });
    expect(names).toEqual([...LAYER, ...HEAD]);
  });
});

const data = process.env["ANTIDOTE_DATA"];

/** All float32 initializers of the files, less running statistics, counted with the onnx package. */
const COUNTS = {
  akamaster_resnet20_clean: 269_034,
  badnets_small_mnist_softmax: 281_034,
  ibau_vgg_badnets_t8: 307_498,
  imagenet_squeezenet1_1: 1_235_496,
  nad_wrn16_clean: 174_842,
  pt_clean_s1: 2_795_210,
};

describe.skipIf(!data)("real models (needs ANTIDOTE_DATA)", () => {
  test.each(Object.entries(COUNTS))("%s has %i parameters", async (name, expected) => {
    const path = join(data ?? "", "models", `${name}.onnx`);
    const graph = importGraph(await readOnnxFile(path));
    const sizes = trainableConstants(graph).map((it) => sizeOf(graph.constants.get(it)!.shape));
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(expected);
  });
});
