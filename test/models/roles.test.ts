import { describe, expect, test } from "vitest";
import { findRoles } from "../../src/models/roles.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import type { Value } from "../../src/onnx/graph.ts";
import { conv, linear, pooled } from "../support/networks.ts";
import { fill } from "../train/fill.ts";

const CLASSES = 5;
const ALONE = /Export the classifier alone/;

/** A network for batches of two: convolution, ReLU, then what `end` writes. */
function network(end: (b: GraphBuilder, features: Value) => void) {
  const b = new GraphBuilder();
  const x = b.input("images", "float32", [2, 3, 8, 8]); // [N,3,8,8]
  end(b, b.unary("Relu", conv(b, x, "conv", 6)));
  return b.build();
}

/** A 1×1 convolution to the classes: [N,C,H,W] → [N,K,H,W]. */
function pointwise(b: GraphBuilder, x: Value): Value {
  const weight = b.constant(fill(1, [CLASSES, x.shape[1]!, 1, 1]), "head.weight");
  const window = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] };
  return b.conv(x, weight, undefined, window);
}

const named = (b: GraphBuilder, op: "Relu" | "Identity", x: Value, name: string): Value =>
  b.emit(op, [x], {}, [x], [name])[0]!;

describe("logits, latent and last linear layer", () => {
  test("of a Gemm", () => {
    const roles = findRoles(
      network((b, x) =>
        b.output("scores", linear(b, named(b, "Identity", pooled(b, x), "z"), CLASSES)),
      ),
    );
    expect(roles).toEqual({
      logits: "scores",
      output: "logits",
      returned: "scores",
      latent: "z",
      head: { op: "Gemm", weight: "fc.weight" },
      classes: CLASSES,
    });
  });

  test.each([
    ["Softmax", "probabilities"],
    ["LogSoftmax", "log-probabilities"],
  ] as const)("above a final %s, also one that is reshaped afterwards", (op, output) => {
    const roles = findRoles(
      network((b, x) => {
        const logits = named(b, "Identity", linear(b, pooled(b, x), CLASSES), "scores");
        const normalised = b.op(op, [logits], { axis: 1 }, logits);
        b.output("out", b.reshape(b.reshape(normalised, [2, CLASSES, 1]), [2, CLASSES]));
      }),
    );
    expect(roles).toMatchObject({ logits: "scores", output, classes: CLASSES });
  });

  test("of the first of two heads whose scores are averaged", () => {
    const roles = findRoles(
      network((b, x) => {
        const z = named(b, "Identity", pooled(b, x), "z");
        const other = b.matmul(b.unary("Relu", z), b.constant(fill(3, [6, CLASSES])));
        b.output("out", b.mul(b.add(linear(b, z, CLASSES), other), b.scalar(0.5)));
      }),
    );
    expect(roles).toMatchObject({ logits: "out", latent: "z", head: { weight: "fc.weight" } });
  });

  test("of a product with a transposed matrix, an added bias and a temperature", () => {
    const roles = findRoles(
      network((b, x) => {
        const z = named(b, "Identity", pooled(b, x), "z"); // [N,d]
        const matrix = b.constant(fill(1, [CLASSES, 6]), "head.weight"); // [K,d]
        const product = b.matmul(z, b.transpose(matrix, [1, 0]));
        const logits = b.add(b.constant(fill(2, [CLASSES]), "head.bias"), product);
        b.output("out", b.div(logits, b.scalar(2)));
      }),
    );
    expect(roles.latent).toBe("z");
    expect(roles.head).toEqual({ op: "MatMul", weight: "head.weight" });
  });

  test("behind batch norm of the class scores", () => {
    const roles = findRoles(
      network((b, x) => {
        const scores = linear(b, named(b, "Identity", pooled(b, x), "z"), CLASSES);
        const statistics = ["scale", "bias", "mean", "var"].map((name) =>
          b.constant(fill(2, [CLASSES]), name),
        );
        b.output("out", b.op("BatchNormalization", [scores, ...statistics], {}, scores));
      }),
    );
    expect(roles).toMatchObject({ logits: "out", latent: "z", head: { weight: "fc.weight" } });
  });

  test("of a 1×1 convolution that is averaged afterwards, as in SqueezeNet", () => {
    const roles = findRoles(
      network((b, x) => {
        const maps = b.unary("Relu", pointwise(b, named(b, "Identity", x, "maps")));
        b.output("out", pooled(b, maps));
      }),
    );
    expect(roles).toMatchObject({
      latent: "maps",
      head: { op: "Conv", weight: "head.weight" },
      classes: CLASSES,
    });
  });

  test("of the only output that looks like class scores", () => {
    const graph = network((b, x) => {
      b.output("attention", x); // [N,6,8,8]
      b.output("out", linear(b, pooled(b, x), CLASSES));
    });
    expect(findRoles(graph).logits).toBe("out");
  });

  test("of logits beside their own softmax and the features they are computed from", () => {
    const graph = network((b, x) => {
      const z = pooled(b, x);
      b.output("features", b.reshape(z, [2, 6, 1]));
      const logits = linear(b, z, CLASSES);
      b.output("probabilities", b.op("Softmax", [logits], { axis: 1 }, logits));
      b.output("out", logits);
    });
    expect(findRoles(graph)).toMatchObject({ logits: "out", output: "logits", returned: "out" });
    const named = findRoles(graph, "probabilities");
    expect(named).toMatchObject({ output: "probabilities", returned: "probabilities" });
  });
});

describe("what is not a classifier is refused, and said why", () => {
  test("two outputs that may be class scores, unless one is named", () => {
    const graph = network((b, x) => {
      const z = pooled(b, x);
      b.output("aux", b.matmul(z, b.constant(fill(3, [6, CLASSES]))));
      b.output("out", linear(b, z, CLASSES));
    });
    expect(() => findRoles(graph)).toThrowError(
      expect.objectContaining({
        code: "MODEL_NOT_A_CLASSIFIER",
        message: expect.stringContaining("aux [2, 5], out [2, 5]"),
        next: expect.stringContaining("--output aux or --output out"),
      }),
    );
    expect(findRoles(graph, "out").logits).toBe("out");
    expect(() => findRoles(graph, "logits")).toThrowError(/no output "logits"; .*aux, out/);
  });

  test("scores of several images in one row", () => {
    const graph = network((b, x) => {
      const all = b.reshape(linear(b, pooled(b, x), CLASSES), [1, 2 * CLASSES]);
      b.output("out", named(b, "Identity", all, "out"));
    });
    expect(() => findRoles(graph)).toThrowError(
      expect.objectContaining({ code: "MODEL_INVALID", message: expect.stringContaining("whose") }),
    );
  });

  test.each<[string, (b: GraphBuilder, x: Value) => void, RegExp, RegExp]>([
    [
      "a spatial convolution as its last layer",
      (b, x) => b.output("out", pooled(b, conv(b, x, "last", CLASSES))),
      /do not come from a linear layer: Conv/,
      /last layer is linear/,
    ],
    [
      "an activation with curvature behind the head",
      (b, x) => b.output("out", b.unary("Tanh", linear(b, pooled(b, x), CLASSES))),
      /do not come from a linear layer: Tanh/,
      /without the final Tanh/,
    ],
    [
      "an activation with curvature in place of a head",
      (b, x) => b.output("out", b.unary("Erf", pooled(b, x))),
      /do not come from a linear layer: Erf/,
      /last layer is linear/,
    ],
    [
      "a softmax and its logarithm apart",
      (b, x) => {
        const logits = linear(b, pooled(b, x), CLASSES);
        b.output("out", b.unary("Log", b.op("Softmax", [logits], { axis: 1 }, logits)));
      },
      /do not come from a linear layer: Log/,
      /without the final Log/,
    ],
    [
      "a head whose weight is normalised on the way",
      (b, x) => {
        const weight = b.constant(fill(1, [6, CLASSES]), "weight"); // [d,K]
        b.output(
          "out",
          b.matmul(pooled(b, x), b.div(weight, b.unary("Sqrt", b.mul(weight, weight)))),
        );
      },
      /weight of the last layer, MatMul node .*, is computed/,
      /before the export/,
    ],
    [
      "two heads that are multiplied",
      (b, x) => {
        const z = pooled(b, x);
        const other = b.matmul(z, b.constant(fill(3, [6, CLASSES])));
        b.output("out", b.mul(linear(b, z, CLASSES), other));
      },
      /from several branches at Mul/,
      /last layer is linear/,
    ],
    [
      "sums of sums without a head",
      (b, x) => {
        let y = pooled(b, b.unary("Relu", conv(b, x, "last", CLASSES)));
        for (let depth = 0; depth < 60; depth++) y = b.add(y, y); // 2⁶⁰ ways up
        b.output("out", y);
      },
      /do not come from a linear layer: Conv/,
      /last layer is linear/,
    ],
    [
      "one score only",
      (b, x) => b.output("out", linear(b, pooled(b, x), 1)),
      /cannot be told/,
      /rows 0 and w/,
    ],
    [
      "the number of the class",
      (b, x) => {
        const chosen = { type: "int64", shape: [2, 1] } as const;
        b.output("out", b.op("ArgMax", [linear(b, pooled(b, x), CLASSES)], { axis: 1 }, chosen));
      },
      /cannot be told/,
      /without the final ArgMax/,
    ],
    ["a map of scores", (b, x) => b.output("out", pointwise(b, x)), /cannot be told/, ALONE],
  ])("%s", (_, end, message, next) => {
    expect(() => findRoles(network(end))).toThrowError(
      expect.objectContaining({
        code: "MODEL_NOT_A_CLASSIFIER",
        message: expect.stringMatching(message),
        next: expect.stringMatching(next),
      }),
    );
  });

  test("no layer at all", () => {
    const b = new GraphBuilder();
    const x = b.input("images", "float32", [2, 3, 1, 1]);
    b.output("out", b.reshape(x, [2, 3]));
    expect(() => findRoles(b.build())).toThrowError(/No linear layer lies between/);
  });
});
