import { readdirSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type DataType,
  float32,
  int64,
  type Tensor,
  toNumbers,
  zeros,
} from "../../src/core/tensor.ts";
import { readOnnxFile } from "../../src/onnx/file.ts";
import type { Attribute, Graph, Node } from "../../src/onnx/graph.ts";
import { importGraph } from "../../src/onnx/import.ts";
import { GraphProtoSchema } from "../../src/onnx/proto/generated/onnx_pb.ts";
import { openDevice, type ProcessDevice } from "../../src/runtime/process-device.ts";
import { specialise } from "../../src/runtime/specialise.ts";

let device: ProcessDevice;
beforeAll(async () => {
  device = await openDevice({ name: "cpu", threads: 2 });
});
afterAll(() => device.close());

function node(
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, Attribute>> = {},
): Node {
  const map = new Map(Object.entries(attributes));
  return { op, domain: "", name: output, inputs, outputs: [output], attributes: map };
}

const int = (value: number): Attribute => ({ kind: "int", value });

function graphOf(
  nodes: readonly Node[],
  constants: Readonly<Record<string, Tensor>>,
  outputs: readonly string[],
  shape: readonly (number | null)[] = [null, 3, 4],
): Graph {
  const inputs = [{ name: "x", type: "float32" as DataType, shape }];
  return { opset: 18, inputs, outputs, nodes, constants: new Map(Object.entries(constants)) };
}

/** x [N,3,4] flattened to [N,12] by way of its shape, times a weight that is transposed first. */
const FLATTENING = graphOf(
  [
    node("Shape", ["x"], "shape"),
    node("Gather", ["shape", "zero"], "batch", { axis: int(0) }),
    node("Unsqueeze", ["batch", "axes"], "batch1"),
    node("Concat", ["batch1", "rest"], "target", { axis: int(0) }),
    node("Reshape", ["x", "target"], "flat"),
    node("Transpose", ["weight"], "turned"),
    node("MatMul", ["flat", "turned"], "y"),
    node("Relu", ["x"], "unused"),
  ],
  {
    zero: int64([0], []),
    axes: int64([0]),
    rest: int64([-1]),
    weight: float32(
      [2, 12],
      Array.from({ length: 24 }, (_, i) => i),
    ),
  },
  ["y"],
);

describe("specialising", () => {
  test("fixes the batch, knows every tensor and folds what computes shapes", async () => {
    const graph = await specialise(FLATTENING, 5, device);
    expect(graph.inputs).toEqual([{ name: "x", type: "float32", shape: [5, 3, 4] }]);
    expect(graph.nodes.map(({ op }) => op)).toEqual(["Reshape", "Transpose", "MatMul"]);
    expect(graph.constants.get("target")).toEqual(int64([5, -1]));
    expect([...graph.constants.keys()].sort()).toEqual(["target", "weight"]);
    expect(Object.fromEntries(graph.values)).toEqual({
      x: { name: "x", type: "float32", shape: [5, 3, 4] },
      weight: { name: "weight", type: "float32", shape: [2, 12] },
      target: { name: "target", type: "int64", shape: [2] },
      flat: { name: "flat", type: "float32", shape: [5, 12] },
      turned: { name: "turned", type: "float32", shape: [12, 2] },
      y: { name: "y", type: "float32", shape: [5, 2] },
    });
  });

  test("computes the same as before", async () => {
    await using program = await device.compile(await specialise(FLATTENING, 1, device));
    const x = float32(
      [1, 3, 4],
      Array.from({ length: 12 }, () => 1),
    );
    expect(toNumbers((await program.run({ x }))["y"]!)).toEqual([66, 210]);
  });

  test("computes with scalars but never with weights, were they a single number", async () => {
    const graph = await specialise(
      graphOf(
        [
          node("Neg", ["bias"], "negative"),
          node("Sqrt", ["scalar"], "root"),
          node("Add", ["x", "negative"], "moved"),
          node("Mul", ["moved", "root"], "y"),
        ],
        { bias: float32([1], [2]), scalar: float32([], [4]) },
        ["y"],
      ),
      2,
      device,
    );
    expect(graph.nodes.map(({ op }) => op)).toEqual(["Neg", "Add", "Mul"]);
    expect(graph.constants.get("root")).toEqual(float32([], [2]));
  });

  test("computes with a few numbers that stand beside sizes, as scales of a resize do", async () => {
    const resize = graphOf(
      [
        node("Shape", ["x"], "shape"),
        node("Gather", ["shape", "last"], "extent", { axis: int(0) }),
        node("Cast", ["extent"], "width", { to: int(1) }),
        node("Mul", ["width", "half"], "scale"),
        node("Concat", ["ones", "scale"], "scales", { axis: int(0) }),
        node("Resize", ["x", "", "scales"], "y"),
      ],
      { last: int64([2]), half: float32([1], [0.5]), ones: float32([2], [1, 1]) },
      ["y"],
    );
    const graph = await specialise(resize, 2, device);
    expect(graph.nodes.map(({ op }) => op)).toEqual(["Resize"]);
    expect(graph.constants.get("scales")).toEqual(float32([3], [1, 1, 2]));
  });

  test("knows shapes that depend on values, which only a run can tell", async () => {
    const graph = await specialise(
      graphOf(
        [node("NonZero", ["mask"], "where"), node("Gather", ["x", "picks"], "y", { axis: int(1) })],
        { mask: int64([0, 1, 1]), picks: int64([2, 0]) },
        ["y", "where"],
      ),
      2,
      device,
    );
    expect(graph.values.get("y")!.shape).toEqual([2, 2, 4]);
    expect(graph.constants.get("where")).toEqual(int64([1, 2], [1, 2]));
  });

  test("does not take for fixed a shape that the image decides", async () => {
    const graph = await specialise(
      graphOf(
        [
          node("NonZero", ["x"], "where"),
          node("Transpose", ["where"], "turned"),
          node("Size", ["turned"], "bright"),
          node("Cast", ["bright"], "factor", { to: int(1) }),
          node("Mul", ["x", "factor"], "y"),
        ],
        {},
        ["y"],
      ),
      2,
      device,
    );
    expect(graph.nodes.map(({ op }) => op)).toContain("Size");
  });

  test("keeps what only a branch inside a node reads", async () => {
    const branch = (weight: string): Attribute => ({
      kind: "graph",
      value: create(GraphProtoSchema, {
        name: weight,
        node: [{ opType: "Mul", input: ["x", weight], output: ["product"] }],
        output: [{ name: "product" }],
      }),
    });
    const branches = { then_branch: branch("one"), else_branch: branch("other") };
    const graph = await specialise(
      graphOf(
        [
          node("ReduceSum", ["x"], "sum", { keepdims: int(0) }),
          node("Cast", ["sum"], "any", { to: int(9) }),
          node("If", ["any"], "y", branches),
        ],
        { one: float32([4], [1, 1, 1, 1]), other: float32([4], [2, 2, 2, 2]) },
        ["y"],
      ),
      2,
      device,
    );
    expect([...graph.constants.keys()]).toEqual(["one", "other"]);
    expect(graph.values.get("y")!.shape).toEqual([2, 3, 4]);
  });

  test("leaves randomness to every run", async () => {
    const graph = await specialise(
      graphOf(
        [
          node("RandomNormalLike", ["rest"], "noise", { dtype: int(1) }),
          node("Add", ["x", "noise"], "y"),
        ],
        { rest: int64([1]) },
        ["y"],
      ),
      2,
      device,
    );
    expect(graph.nodes.map(({ op }) => op)).toEqual(["RandomNormalLike", "Add"]);
  });

  test("does not blame the batch size for another defect", async () => {
    const odd = graphOf([node("NoSuchOperator", ["x"], "y")], {}, ["y"], [1, 3, 4]);
    await expect(specialise(odd, 2, device)).rejects.toMatchObject({ code: "RUNTIME_FAILED" });
  });

  test("refuses an input whose size is open", async () => {
    const open = graphOf([node("Relu", ["x"], "y")], {}, ["y"], [null, 3, null]);
    await expect(specialise(open, 1, device)).rejects.toMatchObject({ code: "MODEL_INVALID" });
  });

  test("refuses what is not a tensor of numbers", async () => {
    const sequence = graphOf(
      [node("SequenceConstruct", ["x", "x"], "list"), node("SequenceLength", ["list"], "y")],
      {},
      ["y"],
    );
    await expect(specialise(sequence, 1, device)).rejects.toMatchObject({
      code: "MODEL_UNSUPPORTED_TYPE",
      message: 'The SequenceConstruct node "list" makes a list of tensors.',
      place: "list",
      next: expect.stringContaining("tracing"),
    });
  });
});

const data = process.env["ANTIDOTE_DATA"];
const models = data ? readdirSync(join(data, "models")).filter((f) => f.endsWith(".onnx")) : [];

describe.skipIf(models.length === 0)("real models (skipped unless ANTIDOTE_DATA is set)", () => {
  test.each(models)("%s", async (name) => {
    const original = importGraph(await readOnnxFile(join(data!, "models", name)));
    const [first, ...rest] = original.inputs;
    const sized = {
      ...original,
      inputs: [{ ...first!, shape: [2, ...first!.shape.slice(1)] }, ...rest],
    };
    const graph = await specialise(original, 2, device);
    const values = new Map(graph.inputs.map((input) => [input.name, input]));
    // Every tensor that is read is known, and nothing is left that computes shapes.
    for (const { op, inputs } of graph.nodes) {
      expect(["Shape", "ConstantOfShape", "Constant"]).not.toContain(op);
      for (const input of inputs) if (input !== "") expect(graph.values.has(input)).toBe(true);
    }
    const x = zeros(graph.inputs[0]!.shape);
    const all = { ...sized, values, inputs: graph.inputs, outputs: [...graph.outputs] };
    await using before = await device.compile(all);
    await using after = await device.compile(graph);
    const feeds = { [first!.name]: x };
    const results = await after.run(feeds);
    expect(results).toEqual(await before.run(feeds));
    for (const output of graph.outputs) {
      expect(results[output]!.shape).toEqual(graph.values.get(output)!.shape);
    }
  });
});
