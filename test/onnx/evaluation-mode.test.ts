import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { float32, type Tensor } from "../../src/core/tensor.ts";
import { evaluationMode } from "../../src/onnx/evaluation-mode.ts";
import { FunctionProtoSchema, type NodeProto } from "../../src/onnx/proto/generated/onnx_pb.ts";
import { encodeTensor } from "../../src/onnx/tensors.ts";
import { bytes, model, node, value } from "./build.ts";
import { runModel, sample } from "./run.ts";

const flag = (on: boolean): Tensor => ({
  type: "bool",
  shape: [],
  data: Uint8Array.of(on ? 1 : 0),
});
const CONSTANTS = {
  s: sample([2], 2),
  b: sample([2], 3),
  m: sample([2], 4),
  v: float32([2], [1, 2]),
  on: flag(true),
  off: flag(false),
};
const NORM = ["x", "s", "b", "m", "v"];
const SHAPE = [3, 2, 4];

const fileOf = (opset: number, ...nodes: NodeProto[]) => ({
  path: "test.onnx",
  model: model({
    opset,
    nodes,
    inputs: [value("x", SHAPE)],
    outputs: [value("y", SHAPE)],
    constants: CONSTANTS,
  }),
});

describe("a file exported in training mode", () => {
  const training = { training_mode: 1, epsilon: { float: 0.01 } };
  const epsilon = { epsilon: { float: 0.01 } };
  it.each<[string, number, NodeProto[], Record<string, number>]>([
    [
      "batch norm since opset 14",
      17,
      [node("BatchNormalization", NORM, ["y", "mean", "var"], training)],
      { BatchNormalization: 1 },
    ],
    [
      "batch norm until opset 13",
      13,
      [node("BatchNormalization", NORM, ["y", "mean", "var", "sm", "sv"], epsilon)],
      { BatchNormalization: 1 },
    ],
    [
      "running statistics shared through Identity, and dropout",
      17,
      [
        node("Identity", ["m"], ["mean"]),
        node("BatchNormalization", ["x", "s", "b", "mean", "v"], ["z", "u", "w"], training),
        node("Dropout", ["z", "", "on"], ["y", "mask"]),
      ],
      { BatchNormalization: 1, Dropout: 1 },
    ],
  ])("computes as in use: %s", async (_, opset, nodes, counts) => {
    const { file, switched } = evaluationMode(fileOf(opset, ...nodes));
    expect(Object.fromEntries(switched)).toEqual(counts);
    const x = sample(SHAPE);
    const plain = fileOf(opset, node("BatchNormalization", NORM, ["y"], epsilon));
    const { y } = await runModel(bytes(file.model), { x });
    expect(y).toEqual((await runModel(bytes(plain.model), { x }))["y"]);
  });

  it("but for a weight that is standardised by its own statistics, which no image is in", async () => {
    const standardise = { ...training, momentum: { float: 1 } };
    const file = fileOf(
      17,
      node("BatchNormalization", ["w", "s", "b", "m", "v"], ["z", "mean", "var"], standardise),
      node("Add", ["x", "z"], ["y"]),
    );
    file.model.graph!.initializer.push(encodeTensor(sample(SHAPE, 9), "w"));
    const found = evaluationMode(file);
    expect(found.file).toBe(file);
    expect(found.switched.size).toBe(0);
  });

  it("does so inside a function", () => {
    const file = fileOf(17, node("local.Norm", NORM, ["y"]));
    const body = node("BatchNormalization", NORM, ["y", "u", "w"], training);
    file.model.functions = [
      create(FunctionProtoSchema, {
        name: "Norm",
        domain: "local",
        input: NORM,
        output: ["y"],
        node: [body],
        opsetImport: file.model.opsetImport,
      }),
    ];
    const { file: inUse, switched } = evaluationMode(file);
    expect([...switched]).toEqual([["BatchNormalization", 1]]);
    expect(inUse.model.functions[0]!.node[0]!.output).toEqual(["y"]);
  });

  it("is refused where nothing tells what it computes in use", () => {
    const code = "MODEL_UNSUPPORTED_OPERATOR";
    const own = fileOf(
      17,
      node("ReduceMean", ["x"], ["mean"], { axes: [0, 2], keepdims: 0 }),
      node("BatchNormalization", ["x", "s", "b", "mean", "v"], ["y", "u", "w"], training),
    );
    expect(() => evaluationMode(own)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining("the other images") }),
    );
    const read = fileOf(
      17,
      node("BatchNormalization", NORM, ["z", "u", "w"], training),
      node("Add", ["z", "u"], ["y"]),
    );
    expect(() => evaluationMode(read)).toThrow(
      expect.objectContaining({ code, next: expect.stringContaining("model.eval()") }),
    );
  });
});

it("a file in evaluation mode stays itself", () => {
  const file = fileOf(
    17,
    node("BatchNormalization", NORM, ["z"]),
    node("Dropout", ["z", "", "off"], ["y"]),
  );
  expect(evaluationMode(file).file).toBe(file);
});
