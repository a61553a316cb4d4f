import { fromBinary } from "@bufbuild/protobuf";
import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { float32 } from "../../src/core/tensor.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { encodeGraph } from "../../src/onnx/encode.ts";
import type { StaticGraph } from "../../src/onnx/graph.ts";
import { ModelProtoSchema } from "../../src/onnx/proto/generated/onnx_pb.ts";

describe("encodeGraph", () => {
  it("writes what ONNX Runtime runs", async () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", [2, 3]);
    const w = g.constant(float32([3, 2], [1, 2, 3, 4, 5, 6]), "w");
    g.output("y", g.clip(g.add(g.matmul(x, w), g.scalar(0.5)), 0, 20));
    const session = await ort.InferenceSession.create(encodeGraph(g.build()));
    const { y } = await session.run({
      x: new ort.Tensor("float32", Float32Array.of(1, 0, 0, 0, 0, 9), [2, 3]),
    });
    expect(y?.dims).toEqual([2, 2]);
    expect(Array.from(y?.data as Float32Array)).toEqual([1.5, 2.5, 20, 20]);
  });

  it("imports the domains of its nodes and keeps every kind of attribute", () => {
    const graph: StaticGraph = {
      opset: 20,
      inputs: [],
      outputs: ["y"],
      constants: new Map(),
      values: new Map([["y", { name: "y", type: "float32", shape: [] }]]),
      nodes: [
        {
          op: "Odd",
          domain: "com.microsoft",
          name: "odd",
          inputs: ["", "a"],
          outputs: ["y"],
          attributes: new Map([
            ["i", { kind: "int", value: -3 }],
            ["f", { kind: "float", value: 0.5 }],
            ["s", { kind: "string", value: "é" }],
            ["is", { kind: "ints", value: [1, 2] }],
            ["fs", { kind: "floats", value: [1.5] }],
            ["ss", { kind: "strings", value: ["a", "b"] }],
            ["t", { kind: "tensor", value: float32([1], [7]) }],
          ]),
        },
      ],
    };
    const model = fromBinary(ModelProtoSchema, encodeGraph(graph));
    expect(model.opsetImport.map(({ domain, version }) => [domain, version])).toEqual([
      ["", 20n],
      ["com.microsoft", 1n],
    ]);
    const node = model.graph?.node[0];
    expect(node?.input).toEqual(["", "a"]);
    expect(node?.attribute.map((a) => [a.name, a.type])).toEqual([
      ["i", 2],
      ["f", 1],
      ["s", 3],
      ["is", 7],
      ["fs", 6],
      ["ss", 8],
      ["t", 4],
    ]);
    expect(node?.attribute.map((a) => [a.i, a.f, a.ints, a.floats])).toContainEqual([
      -3n,
      0,
      [],
      [],
    ]);
  });

  it("writes weights as the bytes that they are, not number by number", () => {
    const g = new GraphBuilder();
    const w = g.constant(float32([3], [1, -0.5, 1e-40]), "w");
    g.output("y", g.add(g.input("x", "float32", [3]), w));
    const model = fromBinary(ModelProtoSchema, encodeGraph(g.build()));
    const written = model.graph?.initializer.find(({ name }) => name === "w");
    expect(written?.floatData).toEqual([]);
    expect(written?.rawData).toEqual(new Uint8Array(Float32Array.of(1, -0.5, 1e-40).buffer));
  });
});
