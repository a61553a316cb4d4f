import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { differentiability } from "../../src/autodiff/support.ts";
import type { Tensor } from "../../src/core/tensor.ts";
import { ATTRIBUTE_TYPES } from "../../src/onnx/attributes.ts";
import { importGraph } from "../../src/onnx/import.ts";
import {
  AttributeProtoSchema,
  type NodeProto,
  OperatorSetIdProtoSchema,
} from "../../src/onnx/proto/generated/onnx_pb.ts";
import { bytes, model, node, value } from "./build.ts";
import { runGraph, runModel, sample } from "./run.ts";

interface Case {
  readonly name: string;
  readonly node: NodeProto;
  readonly x?: number[];
  readonly constants?: Record<string, Tensor>;
}

/** An operator of ONNX Runtime's own domain; floats are given apart. */
function fused(...[op, inputs, outputs, attributes]: Parameters<typeof node>): NodeProto {
  return { ...node(op, inputs, outputs, attributes), domain: "com.microsoft" };
}

function withParams(made: NodeProto, floats: number[]): NodeProto {
  const attribute = create(AttributeProtoSchema, {
    name: "activation_params",
    type: ATTRIBUTE_TYPES.floats,
    floats,
  });
  return { ...made, attribute: [...made.attribute, attribute] };
}

const conv = { w: sample([4, 3, 3, 3]), b: sample([4], 2) };
const image = [2, 3, 5, 6];
const CASES: Case[] = [
  { name: "Gelu", node: fused("Gelu", ["x"], ["y"]) },
  { name: "BiasGelu", node: fused("BiasGelu", ["x", "b"], ["y"]), constants: { b: sample([4]) } },
  { name: "FastGelu", node: fused("FastGelu", ["x"], ["y"]) },
  {
    name: "FastGelu, bias",
    node: fused("FastGelu", ["x", "b"], ["y"]),
    constants: { b: sample([4]) },
  },
  { name: "QuickGelu", node: fused("QuickGelu", ["x"], ["y"], { alpha: { float: 1.2 } }) },
  {
    name: "SkipLayerNormalization",
    node: fused("SkipLayerNormalization", ["x", "skip", "g", "b", "bias"], ["y", "", "", "sum"], {
      epsilon: { float: 1e-3 },
    }),
    constants: {
      skip: sample([2, 3, 4], 5),
      g: sample([4]),
      b: sample([4], 2),
      bias: sample([4], 3),
    },
  },
  {
    name: "FusedMatMul",
    node: fused("FusedMatMul", ["x", "w"], ["y"], { transB: 1, alpha: { float: 0.3 } }),
    constants: { w: sample([2, 5, 4], 7) },
  },
  {
    name: "Attention to what comes before",
    node: fused("Attention", ["x", "w", "b"], ["y"], {
      ...{ num_heads: 2, unidirectional: 1, do_rotary: 0 },
    }),
    constants: { w: sample([4, 12]), b: sample([12]) },
  },
  {
    name: "FusedMatMul, left transposed",
    node: fused("FusedMatMul", ["x", "w"], ["y"], { transA: 1 }),
    constants: { w: sample([2, 3, 5], 7) },
  },
  {
    name: "FusedConv",
    node: fused("FusedConv", ["x", "w", "b"], ["y"], { activation: "Relu", pads: [1, 1, 1, 1] }),
    x: image,
    constants: conv,
  },
  {
    name: "FusedConv, sum, LeakyRelu",
    node: withParams(
      fused("FusedConv", ["x", "w", "b", "z"], ["y"], { activation: "LeakyRelu" }),
      [0.2],
    ),
    x: image,
    constants: { ...conv, z: sample([2, 4, 3, 4], 9) },
  },
  {
    name: "FusedConv, Clip",
    node: withParams(fused("FusedConv", ["x", "w"], ["y"], { activation: "Clip" }), [-0.1, 0.4]),
    x: image,
    constants: { w: conv.w },
  },
  {
    name: "FusedConv, HardSigmoid",
    node: withParams(
      fused("FusedConv", ["x", "w"], ["y"], { activation: "HardSigmoid" }),
      [0.1, 0.3],
    ),
    x: image,
    constants: { w: conv.w },
  },
  {
    name: "FusedGemm",
    node: fused("FusedGemm", ["x", "w", "b"], ["y"], { activation: "Tanh", transB: 1 }),
    x: [3, 4],
    constants: { w: sample([5, 4]), b: sample([5], 2) },
  },
  {
    name: "Attention",
    node: fused("Attention", ["x", "w", "b"], ["y"], { num_heads: 2 }),
    constants: { w: sample([4, 12]), b: sample([12], 2) },
  },
  {
    name: "MultiHeadAttention",
    node: fused("MultiHeadAttention", ["x", "k", "v", "b"], ["y"], {
      num_heads: 2,
      scale: { float: 0.4 },
    }),
    constants: { k: sample([2, 5, 4], 3), v: sample([2, 5, 4], 4), b: sample([12], 2) },
  },
];

function modelWith({ node: made, x = [2, 3, 4], constants = {} }: Case) {
  const proto = model({
    nodes: [made],
    inputs: [value("x", x)],
    outputs: made.output.filter((name) => name !== "").map((name) => value(name)),
    constants,
  });
  proto.opsetImport.push(
    create(OperatorSetIdProtoSchema, { domain: "com.microsoft", version: 1n }),
  );
  return { path: "fused.onnx", model: proto };
}

describe("operators that ONNX Runtime's optimiser has fused", () => {
  it.each(CASES)(
    "$name: computes the same in standard ones, which have gradients",
    async (spec) => {
      const file = modelWith(spec);
      const graph = importGraph(file);
      for (const { op, domain } of graph.nodes) {
        expect(differentiability(op, domain)).toBe("differentiable");
      }
      const feeds = { x: sample(spec.x ?? [2, 3, 4], 11) };
      const expected = await runModel(bytes(file.model), feeds);
      const found = await runGraph(graph, feeds, expected);
      for (const [name, { data, shape }] of Object.entries(expected)) {
        expect(found[name]!.shape).toEqual(shape);
        (data as Float32Array).forEach((entry, i) => {
          expect((found[name]!.data as Float32Array)[i]).toBeCloseTo(entry, 5);
        });
      }
    },
  );

  it.each([
    ["a mask", fused("Attention", ["x", "w", "b", "mask"], ["y"], { num_heads: 2 })],
    [
      "past keys",
      fused("MultiHeadAttention", ["x", "x", "x", "", "", "", "mask"], ["y"], { num_heads: 2 }),
    ],
    ["packs keys", fused("MultiHeadAttention", ["x"], ["y"], { num_heads: 2 })],
    [
      "parts of several sizes",
      fused("Attention", ["x", "w", "b"], ["y"], { num_heads: 2, qkv_hidden_sizes: [4, 4, 2] }),
    ],
    ['the attribute "transBatchA"', fused("FusedMatMul", ["x", "w"], ["y"], { transBatchA: 1 })],
  ])("refuses what has no equivalent: %s", (problem, made) => {
    const constants = { w: sample([4, 12]), b: sample([12]), mask: sample([2, 3]) };
    expect(() => importGraph(modelWith({ name: "", node: made, constants }))).toThrowError(
      expect.objectContaining({
        code: "MODEL_UNSUPPORTED_OPERATOR",
        message: expect.stringContaining(problem),
        place: "y",
      }),
    );
  });
});
