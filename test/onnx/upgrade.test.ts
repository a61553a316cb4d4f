import { describe, expect, it } from "vitest";
import { float32, int64, type Tensor } from "../../src/core/tensor.ts";
import { attribute } from "../../src/onnx/graph.ts";
import { importGraph } from "../../src/onnx/import.ts";
import type { NodeProto } from "../../src/onnx/proto/generated/onnx_pb.ts";
import { convertFloat } from "../../src/onnx/tensors.ts";
import { bytes, graph, model, node, value } from "./build.ts";
import { runGraph, runModel, sample } from "./run.ts";

interface Case {
  name: string;
  opset: number;
  node: NodeProto;
  shape?: number[];
  constants?: Record<string, Tensor>;
  /** Operators after upgrading. */
  ops: string[];
  /** Outputs that are compared; all of them if absent. */
  outputs?: string[];
  /** Rank of the output, where the file states it. */
  rank?: number;
  /** The element type of the input, where it is not float32. */
  type?: "float16" | "int64";
}

const axes = { axes: [1, -1], keepdims: 0 };
const reductions = ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare"];

const CASES: Case[] = [
  {
    name: "Slice",
    opset: 9,
    node: node("Slice", ["x"], ["y"], { starts: [1, -3], ends: [2 ** 53, -1], axes: [1, 2] }),
    ops: ["Slice"],
  },
  {
    name: "Slice without axes",
    opset: 9,
    node: node("Slice", ["x"], ["y"], { starts: [0, 1], ends: [1, 3] }),
    ops: ["Slice"],
  },
  {
    name: "Clip",
    opset: 9,
    node: node("Clip", ["x"], ["y"], { min: { float: -0.25 }, max: { float: 0.5 } }),
    ops: ["Clip"],
  },
  {
    name: "Clip from above",
    opset: 10,
    node: node("Clip", ["x"], ["y"], { max: { float: 0.5 } }),
    ops: ["Clip"],
  },
  {
    name: "Clip of float16",
    opset: 9,
    node: node("Clip", ["x"], ["y"], { min: { float: 0.1 } }),
    ops: ["Clip"],
    type: "float16",
  },
  {
    name: "Pad",
    opset: 9,
    node: node("Pad", ["x"], ["y"], { pads: [0, 0, 1, 2, 0, 0, -1, 0], value: { float: 0.5 } }),
    shape: [1, 2, 3, 4],
    ops: ["Pad"],
  },
  {
    name: "Pad by reflection",
    opset: 9,
    node: node("Pad", ["x"], ["y"], { pads: [0, 0, 1, 2, 0, 0, 1, 1], mode: "reflect" }),
    shape: [1, 2, 3, 4],
    ops: ["Pad"],
  },
  {
    name: "Squeeze",
    opset: 11,
    node: node("Squeeze", ["x"], ["y"], { axes: [0] }),
    shape: [1, 3, 4],
    ops: ["Squeeze"],
  },
  { name: "Squeeze of all", opset: 9, node: node("Squeeze", ["x"], ["y"]), ops: ["Squeeze"] },
  {
    name: "Unsqueeze",
    opset: 9,
    node: node("Unsqueeze", ["x"], ["y"], { axes: [0, 3] }),
    ops: ["Unsqueeze"],
  },
  {
    name: "Split by sizes",
    opset: 9,
    node: node("Split", ["x"], ["y", "z"], { axis: 1, split: [1, 2] }),
    ops: ["Split"],
  },
  {
    name: "Split into equals",
    opset: 11,
    node: node("Split", ["x"], ["y", "z"], { axis: 2 }),
    ops: ["Split"],
  },
  {
    name: "Split by input",
    opset: 13,
    node: node("Split", ["x", "sizes"], ["y", "z"], { axis: 1 }),
    constants: { sizes: int64([2, 1]) },
    ops: ["Split"],
  },
  {
    name: "ReduceSum",
    opset: 11,
    node: node("ReduceSum", ["x"], ["y"], axes),
    ops: ["ReduceSum"],
  },
  ...reductions.flatMap((name) => {
    const op = `Reduce${name}`;
    // Logarithms of sums need positive input.
    const shape = name === "LogSum" ? [1, 1, 2] : undefined;
    return [13, 17].map((opset) => ({
      name: `${op} of opset ${opset}`,
      opset,
      node: node(op, ["x"], ["y"], opset === 17 ? {} : axes),
      ops: [op],
      ...(shape ? { shape } : {}),
    }));
  }),
  {
    name: "Dropout",
    opset: 9,
    node: node("Dropout", ["x"], ["y", "mask"], { ratio: { float: 0.3 } }),
    outputs: ["y"],
    ops: ["Identity"],
  },
  {
    name: "Dropout with a switch",
    opset: 13,
    node: node("Dropout", ["x", "", "train"], ["y"]),
    constants: { train: { type: "bool", shape: [], data: Uint8Array.of(0) } },
    ops: ["Identity"],
  },
  {
    name: "Softmax over several axes",
    opset: 9,
    node: node("Softmax", ["x"], ["y"]),
    ops: ["Shape", "Flatten", "Softmax", "Reshape"],
  },
  {
    name: "Softmax over the last axis, known by the rank of the output",
    opset: 11,
    node: node("Softmax", ["x"], ["y"], { axis: 2 }),
    rank: 3,
    ops: ["Softmax"],
  },
  {
    name: "LogSoftmax over the last axis",
    opset: 11,
    node: node("LogSoftmax", ["x"], ["y"], { axis: -1 }),
    ops: ["LogSoftmax"],
  },
  {
    name: "LogSoftmax over several axes",
    opset: 11,
    node: node("LogSoftmax", ["x"], ["y"], { axis: -2 }),
    ops: ["Shape", "Flatten", "LogSoftmax", "Reshape"],
  },
  {
    name: "Hardmax over several axes",
    opset: 9,
    node: node("Hardmax", ["x"], ["y"], { axis: 1 }),
    ops: ["Shape", "Flatten", "Hardmax", "Reshape"],
  },
  {
    name: "Upsample to the nearest",
    opset: 9,
    node: node("Upsample", ["x", "scales"], ["y"], { mode: "nearest" }),
    constants: { scales: float32([4], [1, 1, 2, 1.5]) },
    ops: ["Resize"],
  },
  {
    name: "Upsample linearly",
    opset: 9,
    node: node("Upsample", ["x", "scales"], ["y"], { mode: "linear" }),
    constants: { scales: float32([4], [1, 1, 2, 1.5]) },
    ops: ["Resize"],
  },
  {
    name: "Resize-10, larger",
    opset: 10,
    node: node("Resize", ["x", "scales"], ["y"]),
    constants: { scales: float32([4], [1, 1, 2, 3]) },
    ops: ["Resize"],
  },
  {
    name: "Resize-10, smaller",
    opset: 10,
    node: node("Resize", ["x", "scales"], ["y"]),
    constants: { scales: float32([4], [1, 1, 0.6, 0.7]) },
    shape: [1, 1, 5, 7],
    ops: ["Resize"],
  },
  {
    name: "Resize-10, smaller linearly",
    opset: 10,
    node: node("Resize", ["x", "scales"], ["y"], { mode: "linear" }),
    constants: { scales: float32([4], [1, 1, 0.6, 2]) },
    shape: [1, 1, 5, 7],
    ops: ["Resize"],
  },
  {
    name: "BatchNormalization",
    opset: 9,
    node: node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"], {
      epsilon: { float: 0.01 },
    }),
    constants: { s: sample([2], 2), b: sample([2], 3), m: sample([2], 4), v: float32([2], [1, 2]) },
    shape: [2, 2, 3],
    ops: ["BatchNormalization"],
  },
  {
    name: "BatchNormalization in training",
    opset: 13,
    node: node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y", "z", "u", "sm", "sv"]),
    constants: { s: sample([2], 2), b: sample([2], 3), m: sample([2], 4), v: float32([2], [1, 2]) },
    shape: [2, 2, 3],
    outputs: ["y", "z", "u"],
    ops: ["BatchNormalization"],
  },
  {
    name: "Gemm",
    opset: 9,
    node: node("Gemm", ["x", "w", "b"], ["y"], { transB: 1, alpha: { float: 0.5 } }),
    constants: { w: sample([4, 3], 2), b: sample([4], 3) },
    shape: [2, 3],
    ops: ["Gemm"],
  },
  {
    name: "TopK",
    opset: 9,
    node: node("TopK", ["x"], ["y", "z"], { axis: 2, k: 2 }),
    ops: ["TopK"],
  },
  {
    name: "Scatter",
    opset: 9,
    node: node("Scatter", ["x", "i", "u"], ["y"], { axis: 2 }),
    constants: { i: int64([1, 0], [1, 1, 2]), u: float32([1, 1, 2], [7, 8]) },
    ops: ["ScatterElements"],
  },
  {
    name: "RoiAlign",
    opset: 10,
    node: node("RoiAlign", ["x", "rois", "batch"], ["y"], { output_height: 2, output_width: 2 }),
    constants: { rois: float32([1, 4], [0, 1, 3, 4]), batch: int64([0]) },
    shape: [1, 1, 5, 6],
    ops: ["RoiAlign"],
  },
  {
    name: "Cast",
    opset: 9,
    node: node("Cast", ["x"], ["y"], { to: 6 }),
    ops: ["Cast"],
  },
  {
    name: "MaxPool",
    opset: 9,
    node: node("MaxPool", ["x"], ["y"], { kernel_shape: [2], strides: [2], pads: [1, 0] }),
    ops: ["MaxPool"],
  },
];

describe("upgrading to opset 18", () => {
  it.each(CASES)("$name computes the same", async ({ opset, node: old, ...rest }) => {
    const { shape = defaultShape(rest.constants), constants = {}, ops, rank, type } = rest;
    const single = sample(shape);
    const positive = { ...single, data: single.data.map(Math.abs) };
    const x = convertFloat(old.opType === "ReduceLogSum" ? positive : single, type ?? "float32");
    const names = rest.outputs ?? old.output;
    const typeOf = (name: string): Tensor["type"] =>
      old.opType === "TopK" && name === "z" ? "int64" : old.opType === "Cast" ? "int32" : x.type;
    const extents =
      rank === undefined ? undefined : Array.from({ length: rank }, (_, i) => `d${i}`);
    const proto = model({
      opset,
      nodes: [old],
      inputs: [value("x", shape, x.type)],
      outputs: names.map((name) => value(name, extents, typeOf(name))),
      constants,
    });
    const imported = importGraph({ path: "test.onnx", model: proto });
    expect(imported.opset).toBe(18);
    expect(imported.nodes.map(({ op }) => op)).toEqual(ops);

    const expected = await runModel(bytes(proto), { x });
    expect(await runGraph(imported, { x }, expected)).toEqual(expected);
  });

  it("leaves newer models as they are", () => {
    const proto = model({
      opset: 21,
      nodes: [node("Softmax", ["x"], ["y"])],
      inputs: [value("x", [2, 3])],
      outputs: [value("y")],
    });
    const imported = importGraph({ path: "test.onnx", model: proto });
    expect(imported.opset).toBe(21);
    expect(attribute(imported.nodes[0]!, "axis", "int", "absent")).toBe("absent");
  });

  it("refuses training outputs that are used, and old forms inside subgraphs", () => {
    const mask = model({
      opset: 12,
      nodes: [node("Dropout", ["x"], ["y", "mask"]), node("Not", ["mask"], ["z"])],
      inputs: [value("x", [2])],
      outputs: [value("y"), value("z", [2], "bool")],
    });
    expect(() => importGraph({ path: "test.onnx", model: mask })).toThrow(
      expect.objectContaining({ code: "MODEL_UNSUPPORTED_OPERATOR" }),
    );
    const branch = graph({
      nodes: [node("Squeeze", ["x"], ["b"], { axes: [0] })],
      outputs: [value("b")],
    });
    const branching = model({
      opset: 11,
      nodes: [node("If", ["c"], ["y"], { then_branch: branch, else_branch: branch })],
      inputs: [value("x", [1, 2]), value("c", [], "bool")],
      outputs: [value("y")],
    });
    expect(() => importGraph({ path: "test.onnx", model: branching })).toThrow(
      expect.objectContaining({ code: "MODEL_UNSUPPORTED_OPSET" }),
    );
  });

  it.each([8, 27])("refuses opset %i", (opset) => {
    const proto = model({
      opset,
      nodes: [node("Relu", ["x"], ["y"])],
      inputs: [value("x", [2])],
      outputs: [value("y")],
    });
    expect(() => importGraph({ path: "test.onnx", model: proto })).toThrow(
      expect.objectContaining({ code: "MODEL_UNSUPPORTED_OPSET", place: "test.onnx" }),
    );
  });
});

/** [1,3,4], or four axes where scales say so. */
function defaultShape(constants: Record<string, Tensor> = {}): number[] {
  return constants["scales"] ? [1, 2, 3, 4] : [1, 3, 4];
}
