import { expect, test } from "vitest";
import { type DataType, float32, type Tensor } from "../../src/core/tensor.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { ELEMENT_CODES } from "../../src/onnx/element-types.ts";
import type { Attribute, Graph, Node } from "../../src/onnx/graph.ts";
import { inSinglePrecision } from "../../src/onnx/single-precision.ts";
import { convertFloat } from "../../src/onnx/tensors.ts";
import { testDevice } from "../support/device.ts";
import { plainNet } from "../support/networks.ts";
import { fill } from "../train/fill.ts";
import { runGraph } from "./run.ts";

const device = await testDevice();

/** A classifier of 5 classes for 8×8 images, weights and arithmetic in another type. */
function network(type: DataType): Graph {
  const graph = plainNet(8);
  return {
    ...graph,
    inputs: graph.inputs.map((input) => ({ ...input, type })),
    constants: new Map(
      Array.from(graph.constants, ([name, value]) => [name, convertFloat(value, type)]),
    ),
  };
}

const cast = (from: string, to: DataType, output: string): Node => ({
  op: "Cast",
  domain: "",
  name: output,
  inputs: [from],
  outputs: [output],
  attributes: new Map([["to", { kind: "int", value: ELEMENT_CODES[to] }]]),
});

test("a model that computes in float16 gives the same in float32, up to its own rounding", async () => {
  const x = fill(1, [2, 3, 8, 8]);
  const graph = network("float16");
  const like = (type: DataType): Record<string, Tensor> => ({
    logits: { type, shape: [2, 5], data: new Float32Array(10) } as Tensor,
  });
  const own = await runGraph(graph, { images: convertFloat(x, "float16") }, like("float16"));
  const ours = await runGraph(inSinglePrecision(graph), { images: x }, like("float32"));
  const expected = convertFloat(own["logits"]!, "float32").data as Float32Array;
  const found = ours["logits"]!.data as Float32Array;
  const scale = Math.max(...expected.map(Math.abs));
  expect(scale).toBeGreaterThan(0.01);
  expected.forEach((value, i) => {
    expect(Math.abs(found[i]! - value) / scale).toBeLessThan(2 ** -9); // a few roundings to 11 bits
  });
});

// ONNX Runtime has no Conv in float64 or bfloat16 on the CPU: here such models run all the same.
test.each(["float16", "bfloat16", "float64"] as const)(
  "a model that computes in %s is a classifier whose weights can be trained",
  async (type) => {
    const classifier = await Classifier.fromGraph(network(type), device);
    expect([...classifier.weights.keys()]).toHaveLength(6);
    const { values } = await classifier.at(3);
    const all = [...classifier.weights.values(), ...values.values()];
    expect(new Set(all.map((value) => value.type))).toEqual(new Set(["float32"]));
  },
);

test("types in attributes are float32 too, others stay", () => {
  const half = convertFloat(float32([1], [0.5]), "bfloat16");
  const filled: Attribute = { kind: "tensor", value: half };
  const shape: Node = { ...cast("s", "int64", "c"), op: "ConstantOfShape" };
  const graph: Graph = {
    ...plainNet(8),
    nodes: [
      cast("a", "float16", "b"),
      cast("b", "int64", "s"),
      { ...shape, attributes: new Map([["value", filled]]) },
    ],
  };
  const values = inSinglePrecision(graph).nodes.map(({ attributes }) =>
    [...attributes.values()].map(({ value }) => value),
  );
  expect(values).toEqual([[1], [7], [float32([1], [0.5])]]);
});

test("a model in float32 is left as it is", () => {
  const graph = plainNet(8);
  expect(inSinglePrecision(graph)).toBe(graph);
});
