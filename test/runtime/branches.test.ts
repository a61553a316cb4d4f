import { describe, expect, test } from "vitest";
import { float32, fromBytes, int64, type Tensor, toNumbers } from "../../src/core/tensor.ts";
import { decidable } from "../../src/onnx/branches.ts";
import type { Graph } from "../../src/onnx/graph.ts";
import { importGraph } from "../../src/onnx/import.ts";
import type { GraphProto, NodeProto } from "../../src/onnx/proto/generated/onnx_pb.ts";
import { withoutBranches } from "../../src/runtime/branches.ts";
import { graph, model, node, value } from "../onnx/build.ts";
import { runGraph, sample } from "../onnx/run.ts";
import { testDevice } from "../support/device.ts";

const device = await testDevice();

/** A graph from x [N,3,4] to y. */
function graphOf(nodes: NodeProto[], constants: Record<string, Tensor> = {}): Graph {
  const inputs = [value("x", ["batch", 3, 4])];
  const proto = model({ nodes, constants, inputs, outputs: [value("y")] });
  return importGraph({ path: "test.onnx", model: proto });
}

/** A branch of one node. */
function branch(op: string, input: string, name = "inner"): GraphProto {
  return graph({ nodes: [node(op, [input], [name])], outputs: [value(name)] });
}

/** Nodes that tell in `output` whether `tensor` has 4 entries on an axis. */
function hasFour(tensor: string, axis: number, output: string): NodeProto[] {
  return [
    node("Shape", [tensor], [`${output} shape`]),
    node("Constant", [], [`${output} axis`], { value_int: axis }),
    node("Gather", [`${output} shape`, `${output} axis`], [`${output} extent`]),
    node("Constant", [], [`${output} four`], { value_int: 4 }),
    node("Equal", [`${output} extent`, `${output} four`], [output]),
  ];
}

function choice(condition: string, then: GraphProto, otherwise: GraphProto, output: string) {
  return node("If", [condition], [output], { then_branch: then, else_branch: otherwise });
}

const truth = (holds: number) => fromBytes("bool", [], Uint8Array.of(holds));

function operators({ nodes }: Graph): string[] {
  return nodes.map(({ op }) => op).filter((op) => op !== "Shape" && op !== "Gather");
}

describe("branches", () => {
  test.each([
    [1, "Relu"],
    [0, "Neg"],
  ])("are taken by a constant condition: %d", async (holds, op) => {
    const nodes = [choice("c", branch("Relu", "x"), branch("Neg", "x"), "y")];
    const taken = await withoutBranches(graphOf(nodes, { c: truth(holds) }), device);
    expect(operators(taken)).toEqual([op]);
    expect([...taken.constants.keys()]).toEqual([]);
  });

  test("are taken by the sizes of tensors, of what other branches return as well", async () => {
    const narrow = graph({
      nodes: [node("ReduceSum", ["x", "axis"], ["inner"])],
      outputs: [value("inner")],
      constants: { axis: int64([2]) },
    });
    const original = graphOf([
      ...hasFour("x", 2, "wide"),
      choice("wide", narrow, branch("Identity", "x"), "a"),
      ...hasFour("a", 2, "still wide"),
      choice("still wide", branch("Abs", "a"), branch("Neg", "a"), "y"),
    ]);
    const taken = await withoutBranches(original, device);
    expect(operators(taken)).toEqual(["ReduceSum", "Neg"]);
    expect([...taken.constants.keys()]).toEqual(["a::axis"]);
    const x = sample([2, 3, 4]);
    const y = { y: sample([2, 3, 1]) };
    expect(await runGraph(taken, { x }, y)).toEqual(await runGraph(original, { x }, y));
  });

  test("may hold branches, and names that others use", async () => {
    const inner = graph({
      nodes: [
        node("Neg", ["x"], ["inner"]),
        choice("no", branch("Relu", "inner", "r"), branch("Exp", "inner", "e"), "result"),
      ],
      outputs: [value("result")],
    });
    const nodes = [
      choice("yes", inner, branch("Identity", "x"), "a"),
      choice("yes", inner, branch("Identity", "x"), "b"),
      node("Add", ["a", "b"], ["y"]),
    ];
    const taken = await withoutBranches(graphOf(nodes, { yes: truth(1), no: truth(0) }), device);
    expect(operators(taken)).toEqual(["Neg", "Exp", "Neg", "Exp", "Add"]);
    const x = sample([2, 3, 4]);
    const { y } = await runGraph(taken, { x }, { y: x });
    expect(toNumbers(y!)[5]).toBeCloseTo(2 * Math.exp(-x.data[5]!), 5);
  });

  test("may return what they do not compute, and twice", async () => {
    const pass = graph({
      nodes: [node("Neg", ["x"], ["n"])],
      outputs: [value("x"), value("n"), value("n")],
    });
    const nodes = [
      node("If", ["c"], ["p", "q", "r"], { then_branch: pass, else_branch: pass }),
      node("Sum", ["p", "q", "r"], ["y"]),
    ];
    const taken = await withoutBranches(graphOf(nodes, { c: truth(1) }), device);
    const x = sample([2, 3, 4]);
    const { y } = await runGraph(taken, { x }, { y: x });
    expect(toNumbers(y!)[5]).toBeCloseTo(-x.data[5]!, 6);
  });

  test("take along neither the other branch nor the layers that only it reads", async () => {
    const nodes = [
      node("MatMul", ["x", "weight"], ["layer"]),
      choice("c", branch("Relu", "x"), branch("Neg", "layer"), "y"),
    ];
    const constants = { c: truth(1), weight: sample([4, 4]) };
    const taken = await withoutBranches(graphOf(nodes, constants), device);
    expect(operators(taken)).toEqual(["Relu"]);
    expect(taken.constants.size).toBe(0);
  });

  test("stay where the image decides", async () => {
    const nodes = [
      node("ReduceSum", ["x"], ["sum"], { keepdims: 0 }),
      node("Cast", ["sum"], ["any"], { to: 9 }),
      choice("any", branch("Relu", "x"), branch("Neg", "x"), "y"),
    ];
    const original = graphOf(nodes);
    expect(decidable(original)).toEqual([]);
    expect(await withoutBranches(original, device)).toBe(original);
  });

  test("stay where chance decides, be it inside another branch", async () => {
    const draw = graph({
      nodes: [node("RandomUniformLike", ["one"], ["inner"], { dtype: 1 })],
      outputs: [value("inner")],
    });
    const nodes = [
      choice("yes", draw, draw, "drawn"),
      node("Greater", ["drawn", "half"], ["lucky"]),
      choice("lucky", branch("Relu", "x"), branch("Neg", "x"), "y"),
    ];
    const constants = { yes: truth(1), one: int64([1], []), half: float32([], [0.5]) };
    const taken = await withoutBranches(graphOf(nodes, constants), device);
    expect(operators(taken)).toEqual(["RandomUniformLike", "Greater", "If"]);
  });

  test("stay where the image decides, be it by the size of what is found in it", async () => {
    const nodes = [
      node("Greater", ["x", "bound"], ["bright"]),
      node("NonZero", ["bright"], ["where"]),
      node("Size", ["where"], ["count"]),
      node("Greater", ["count", "few"], ["many"]),
      choice("many", branch("Relu", "x"), branch("Neg", "x"), "y"),
    ];
    const original = graphOf(nodes, { bound: float32([], [9]), few: int64([5], []) });
    expect(decidable(original)).toEqual([]);
  });

  test.each([
    [
      "where the number of images decides",
      [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "zero"], ["images"]),
        node("Greater", ["images", "one"], ["many"]),
        choice("many", branch("Relu", "x"), branch("Neg", "x"), "y"),
      ],
      /If node "y" decides by the number of images/,
    ],
    [
      "where the condition is no truth value",
      [choice("one", branch("Relu", "x"), branch("Neg", "x"), "y")],
      /condition of the If node "y" is not one truth value/,
    ],
    [
      "where a branch is missing",
      [node("If", ["no"], ["y"], { then_branch: branch("Relu", "x") })],
      /If node "y" has no "else_branch"/,
    ],
    [
      "where a branch returns too little",
      [node("If", ["no"], ["y", "z"], { else_branch: branch("Relu", "x") })],
      /If node "y" has no "else_branch" with as many results/,
    ],
  ])("are refused %s", async (_, nodes, message) => {
    const constants = { zero: int64([0], []), one: int64([1], []), no: truth(0) };
    await expect(withoutBranches(graphOf(nodes, constants), device)).rejects.toMatchObject({
      code: "MODEL_INVALID",
      message: expect.stringMatching(message),
      place: "y",
    });
  });

  test("are refused where too many depend on one another", async () => {
    const nodes = Array.from({ length: 300 }, (_, i) => [
      choice(`c${i}`, branch("Not", `c${i}`), branch("Identity", `c${i}`), `c${i + 1}`),
    ]).flat();
    const last = choice("c300", branch("Relu", "x"), branch("Neg", "x"), "y");
    const original = graphOf([...nodes, last], { c0: truth(0) });
    await expect(withoutBranches(original, device)).rejects.toMatchObject({
      code: "MODEL_TOO_LARGE",
    });
  });
});
