import { fromBinary } from "@bufbuild/protobuf";
import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { float32, zeros } from "../../src/core/tensor.ts";
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

  it("costs a few copies of the weights, no loop over their elements", () => {
    const g = new GraphBuilder();
    g.output("y", g.input("x", "float32", [1]));
    for (let i = 0; i < 24; i++) g.constant(zeros([250_000]), `w${i}`);
    const graph = g.build();
    const encoding = time(() => encodeGraph(graph));
    const copying = time(() => new Uint8Array(24e6).fill(1).slice());
    expect(encoding).toBeLessThan(20 * copying);
  });
});

/** Milliseconds of the fastest of three runs: the machine may be busy. */
function time(work: () => void): number {
  const runs = [0, 1, 2].map(() => {
    const start = performance.now();
    work();
    return performance.now() - start;
  });
  return Math.min(...runs);
}
