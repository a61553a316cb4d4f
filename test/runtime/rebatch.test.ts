import { describe, expect, test } from "vitest";
import { float32, int64, sizeOf, type Tensor } from "../../src/core/tensor.ts";
import type { Attribute, Graph, Node } from "../../src/onnx/graph.ts";
import { specialise } from "../../src/runtime/specialise.ts";
import { testDevice } from "../support/device.ts";
import { execute } from "../support/execute.ts";
import { fill } from "../train/fill.ts";

const device = await testDevice();

const int = (value: number): Attribute => ({ kind: "int", value });
const ints = (value: readonly number[]): Attribute => ({ kind: "ints", value });

function node(
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, Attribute>> = {},
): Node {
  const map = new Map(Object.entries(attributes));
  return { op, domain: "", name: output, inputs, outputs: [output], attributes: map };
}

/** A graph from x, of a fixed shape, to y. */
function graphOf(
  shape: readonly number[],
  nodes: readonly Node[],
  constants: Readonly<Record<string, Tensor>>,
): Graph {
  return {
    opset: 18,
    inputs: [{ name: "x", type: "float32", shape }],
    outputs: ["y"],
    nodes,
    constants: new Map(Object.entries(constants)),
  };
}

/**
 * What exporters write for one image of 4 tokens with 6 features: attention with 2 heads, tokens first,
 * heads merged with images, linear layers over tokens·images rows, and a class token put in front.
 */
function attention(): Graph {
  const linear = (name: string, x: string, y: string) => [
    node("Reshape", [x, "rows"], `${name}/rows`),
    node("Gemm", [`${name}/rows`, `${name}/weight`], `${name}/product`),
    node("Reshape", [`${name}/product`, "heads"], `${name}/heads`), // [L, N·h, d]
    node("Transpose", [`${name}/heads`], y, { perm: ints([1, 0, 2]) }),
  ];
  return graphOf(
    [1, 4, 6],
    [
      node("Concat", ["token", "x"], "all", { axis: int(1) }), // [N, 5, 6]
      node("Transpose", ["all"], "first", { perm: ints([1, 0, 2]) }), // [5, N, 6]
      ...linear("q", "first", "queries"),
      ...linear("k", "first", "keys"),
      ...linear("v", "first", "values"),
      node("Transpose", ["keys"], "turned", { perm: ints([0, 2, 1]) }),
      node("MatMul", ["queries", "turned"], "scores"),
      node("Softmax", ["scores"], "weights", { axis: int(-1) }),
      node("MatMul", ["weights", "values"], "mixed"), // [N·h, 5, d]
      node("Transpose", ["mixed"], "back", { perm: ints([1, 0, 2]) }),
      node("Reshape", ["back", "rows"], "joined"), // [5·N, 6]
      node("Reshape", ["joined", "tokens"], "apart"), // [5, N, 6]
      node("Transpose", ["apart"], "images", { perm: ints([1, 0, 2]) }),
      node("Gather", ["images", "zero"], "chosen", { axis: int(1) }), // [N, 6]
      node("MatMul", ["chosen", "head"], "y"),
    ],
    {
      token: fill(1, [1, 1, 6]),
      rows: int64([5, 6]),
      heads: int64([5, 2, 3]),
      tokens: int64([5, 1, 6]),
      zero: int64([0], []),
      "q/weight": fill(2, [6, 6]),
      "k/weight": fill(3, [6, 6]),
      "v/weight": fill(4, [6, 6]),
      head: fill(5, [6, 3]),
    },
  );
}

const equation = (value: string): Record<string, Attribute> => ({
  equation: { kind: "string", value },
});

/** Attention of one image's tokens to one another with 2 heads, written as sums of products. */
function summing(): Graph {
  return graphOf(
    [1, 4, 6],
    [
      node("Reshape", ["x", "heads"], "apart"), // [N, 4, h, d]
      node("Transpose", ["apart"], "all", { perm: ints([0, 2, 1, 3]) }), // [N, h, 4, d]
      node("Einsum", ["all", "all"], "scores", equation("bhid,bhjd->bhij")),
      node("Softmax", ["scores"], "weights", { axis: int(-1) }),
      node("Einsum", ["all", "weights"], "mixed", equation("...jd, ...ij -> ...id")),
      node("Transpose", ["mixed"], "back", { perm: ints([0, 2, 1, 3]) }),
      node("Reshape", ["back", "joined"], "tokens"), // [N, 24]
      node("MatMul", ["tokens", "head"], "y"),
    ],
    {
      heads: int64([1, 4, 2, 3]),
      joined: int64([1, 24]),
      head: fill(5, [24, 3]),
    },
  );
}

/** Each row of an image times a weight, written as a sum of products whose result is implied. */
function implied(): Graph {
  return graphOf(
    [1, 3, 4],
    [
      node("Einsum", ["turn", "x"], "product", equation("kj,bij")), // [N, 3, 5]
      node("Reshape", ["product", "target"], "flat"),
      node("MatMul", ["flat", "weight"], "y"),
    ],
    { turn: fill(2, [5, 4]), target: int64([1, 15]), weight: fill(1, [15, 2]) },
  );
}

/** Every image alone: the rows of the results, one after the other. */
async function oneByOne(graph: Graph, x: Tensor): Promise<number[]> {
  const single = await specialise(graph, 1, device);
  const size = sizeOf(x.shape) / x.shape[0]!;
  const rows = [];
  for (let i = 0; i < x.shape[0]!; i++) {
    const data = (x.data as Float32Array).slice(i * size, (i + 1) * size);
    const results = await execute(single, { x: float32([1, ...x.shape.slice(1)], data) });
    rows.push(...(results["y"]!.data as Float32Array));
  }
  return rows;
}

describe("a model whose batch size is built in", () => {
  test.each([
    ["reshapes", [1, 3, 4], () => flattening(12)],
    ["attention over tokens and images", [1, 4, 6], attention],
    ["attention by sums over letters", [1, 4, 6], summing],
    ["a product with a weight, without an arrow", [1, 3, 4], implied],
  ] as const)("computes any other: %s", async (_, shape, make) => {
    const graph = make();
    const x = fill(7, [3, ...shape.slice(1)]);
    const network = await specialise(graph, 3, device);
    expect(network.inputs[0]!.shape).toEqual(x.shape);
    const { y } = await execute(network, { x });
    const alone = await oneByOne(graph, x);
    expect(network.values.get("y")!.shape).toEqual(y!.shape);
    expect([...y!.shape]).toEqual([3, alone.length / 3]);
    alone.forEach((value, i) => {
      expect((y!.data as Float32Array)[i]).toBeCloseTo(value, 5);
    });
  });

  test.each([
    ["bij,bkj->ik", 16],
    ["bij,kij->bk", 1],
  ])("is refused where %s mixes images", async (sum, size) => {
    const graph = graphOf(
      [1, 4, 6],
      [
        node("Einsum", ["x", "x"], "mixed", equation(sum)),
        node("Reshape", ["mixed", "target"], "flat"),
        node("MatMul", ["flat", "weight"], "y"),
      ],
      { target: int64([1, size]), weight: fill(1, [size, 2]) },
    );
    await expect(specialise(graph, 2, device)).rejects.toMatchObject({
      code: "MODEL_INVALID",
      message: expect.stringContaining('cannot be followed through the Einsum node "mixed"'),
    });
  });

  test("keeps its weights, under their names", async () => {
    const network = await specialise(attention(), 2, device);
    for (const [name, value] of attention().constants) {
      if (value.type === "float32") expect(network.constants.get(name)).toEqual(value);
    }
  });

  test("is refused where it works across images, by the node that does", async () => {
    const graph = graphOf(
      [1, 3, 4],
      [
        node("Reshape", ["x", "target"], "rows"),
        node("ReduceMax", ["rows", "first"], "largest"),
        node("MatMul", ["largest", "weight"], "y"),
      ],
      { target: int64([3, 4]), first: int64([0]), weight: fill(1, [4, 2]) },
    );
    await expect(specialise(graph, 2, device)).rejects.toMatchObject({
      code: "MODEL_INVALID",
      place: "x",
      message: expect.stringMatching(/1 image at a time.*ReduceMax node "largest"/),
    });
  });

  test("is refused where images turn out to change one another's results", async () => {
    const normalising: Node = {
      ...node("BatchNormalization", ["x", "one", "one", "one", "one"], "normal"),
      outputs: ["normal", "mean", "variance"],
      attributes: new Map([["training_mode", int(1)]]),
    };
    const { nodes, constants } = flattening(12);
    const graph = graphOf(
      [1, 3, 4],
      [
        normalising,
        ...nodes.map((it) => ({
          ...it,
          inputs: it.inputs.map((name) => (name === "x" ? "normal" : name)),
        })),
      ],
      { ...Object.fromEntries(constants), one: float32([3], [1, 2, 3]) },
    );
    await expect(specialise(graph, 2, device)).rejects.toMatchObject({
      code: "MODEL_INVALID",
      message: expect.stringMatching(/"y" depends on the other images/),
    });
  });
});

/** [1,3,4] flattened by a shape that says 1, times a weight. */
function flattening(size: number): Graph {
  return graphOf(
    [1, 3, 4],
    [node("Reshape", ["x", "target"], "flat"), node("MatMul", ["flat", "weight"], "y")],
    { target: int64([1, size]), weight: fill(1, [size, 2]) },
  );
}
