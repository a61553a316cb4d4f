import { describe, expect, test } from "vitest";
import { checkGradients } from "../../src/autodiff/gradients.ts";
import { LIMITS } from "../../src/autodiff/rules/limits.ts";
import { checkDifferentiable, withoutRule } from "../../src/autodiff/support.ts";
import { float32 } from "../../src/core/tensor.ts";
import { type Attributes, GraphBuilder } from "../../src/onnx/builder.ts";
import type { Attribute, StaticGraph, Value } from "../../src/onnx/graph.ts";
import { graph, node as onnxNode, value } from "../onnx/build.ts";

interface Refused {
  readonly op: string;
  readonly attributes?: Attributes;
  /** Shapes of the operands behind x; null leaves one out. */
  readonly others?: readonly (readonly number[] | null)[];
  readonly x?: readonly number[];
  /** Which result is used. */
  readonly result?: number;
  readonly needs: RegExp;
}

const HEADS = [2, 2, 3, 4];

/** One node in a form that its rule does not cover. */
const REFUSED: readonly Refused[] = [
  {
    op: "Attention",
    x: HEADS,
    others: [HEADS, HEADS],
    attributes: { softcap: { float: 9 } },
    needs: /no softcap/,
  },
  { op: "Attention", x: HEADS, others: [HEADS, HEADS, null, HEADS, HEADS], needs: /no past keys/ },
  {
    op: "Attention",
    x: HEADS,
    others: [HEADS, HEADS, null, null, null, [2]],
    needs: /no lengths of keys/,
  },
  { op: "Einsum", x: [3, 3], attributes: { equation: "ii->i" }, needs: /no letter twice/ },
  {
    op: "Einsum",
    x: [1, 3],
    others: [[2, 3]],
    attributes: { equation: "ij,ij->ij" },
    needs: /the same extent of "i"/,
  },
  { op: "LayerNormalization", others: [[3]], result: 1, needs: /its first output only/ },
  {
    op: "Resize",
    attributes: { coordinate_transformation_mode: "tf_crop_and_resize" },
    needs: /another mapping/,
  },
  {
    op: "Resize",
    attributes: { keep_aspect_ratio_policy: "not_larger" },
    needs: /sizes that are exact/,
  },
  {
    op: "ScatterElements",
    others: [
      [2, 3],
      [2, 3],
    ],
    attributes: { reduction: "mul" },
    needs: /"none" or "add"/,
  },
  {
    op: "ScatterND",
    others: [
      [2, 1],
      [2, 3],
    ],
    attributes: { reduction: "max" },
    needs: /"none" or "add"/,
  },
];

/** A graph from "x" to "loss" with the node between. */
function graphWith({
  op,
  attributes = {},
  others = [],
  x: shape = [2, 3],
  result = 0,
}: Refused): StaticGraph {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", shape);
  const operands = others.map((other) =>
    other
      ? b.constant(float32(other, new Float32Array(other.reduce((n, e) => n * e, 1))))
      : undefined,
  );
  const results = b.emit(op, [x, ...operands], attributes, [x, x], ["first", "second"]);
  b.output("loss", b.sum(results[result] as Value));
  return b.build();
}

describe("forms that a rule does not cover", () => {
  test.each(REFUSED)("$op $attributes $others", (refused) => {
    const graph = graphWith(refused);
    expect(() => checkGradients(graph, ["x"], ["loss"])).toThrowError(
      expect.objectContaining({
        code: "MODEL_NOT_DIFFERENTIABLE",
        place: "first",
        message: expect.stringMatching(refused.needs),
      }),
    );
    const named = expect.stringContaining(`${refused.op} node "first"`);
    expect(() => checkGradients(graph, ["x"], ["loss"])).toThrowError(
      expect.objectContaining({ message: named }),
    );
  });

  test("are those that the documentation states", () => {
    expect(new Set(REFUSED.map(({ op }) => op))).toEqual(new Set(Object.keys(LIMITS)));
  });
});

describe("operators without a rule", () => {
  test.each([
    ["Loop", "", /data-dependent loops/],
    ["LSTM", "", /Recurrent layers/],
    ["GridSample", "", /use a network without it/],
    ["RoiAlign", "", /Export the classifier alone/],
    ["SkipLayerNormalization", "com.microsoft", /before ONNX Runtime's optimiser/],
    ["Rotate", "com.example", /standard ONNX operators alone/],
    ["Det", "", /antidote inspect/],
  ])('%s of the domain "%s": says what would be needed', (op, domain, needed) => {
    const node = { op, domain, name: "n", inputs: ["x"], outputs: ["y"], attributes: new Map() };
    expect(() => checkDifferentiable({ nodes: [node] }, ["x"], ["y"])).toThrowError(
      expect.objectContaining({
        message: expect.stringContaining(`${op} node "n"`),
        next: expect.stringMatching(needed),
      }),
    );
  });

  test("are seen through what a branch reads from outside", () => {
    const branch = graph({ nodes: [onnxNode("Relu", ["x"], ["r"])], outputs: [value("r")] });
    const attributes = new Map<string, Attribute>([
      ["then_branch", { kind: "graph", value: branch }],
    ]);
    const named = { op: "If", domain: "", name: "choice" };
    const choice = { ...named, inputs: ["positive"], outputs: ["y"], attributes };
    expect(withoutRule({ nodes: [choice] }, ["x"], ["y"])).toEqual([choice]);
    expect(withoutRule({ nodes: [choice] }, ["another"], ["y"])).toEqual([]);
  });
});
