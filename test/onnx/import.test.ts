import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { float32, int64, zeros } from "../../src/core/tensor.ts";
import { importGraph } from "../../src/onnx/import.ts";
import { inOrder } from "../../src/onnx/order.ts";
import {
  AttributeProtoSchema,
  FunctionProtoSchema,
  type ModelProto,
  SparseTensorProtoSchema,
} from "../../src/onnx/proto/generated/onnx_pb.ts";
import { encodeTensor } from "../../src/onnx/tensors.ts";
import { bytes, graph, model, node, value } from "./build.ts";
import { runGraph, runModel, sample } from "./run.ts";

const load = (proto: ModelProto) => importGraph({ path: "test.onnx", model: proto });

function expectCode(proto: ModelProto, code: string, message: RegExp): void {
  expect(() => load(proto)).toThrow(
    expect.objectContaining({
      code,
      message: expect.stringMatching(message),
      next: expect.any(String),
    }),
  );
}

const x = value("x", [2, 3]);
const y = value("y");

describe("importGraph", () => {
  it("turns Constant nodes and initializers listed as inputs into constants", async () => {
    const proto = model({
      ir: 3,
      opset: 13,
      nodes: [
        node("Constant", [], ["c"], { value: float32([3], [1, 2, 3]) }),
        node("Constant", [], ["s"], { value_float: { float: 0.5 } }),
        node("Constant", [], ["shape"], { value_ints: [3, -1] }),
        node("Mul", ["x", "c"], ["xc"]),
        node("Add", ["xc", "w"], ["sum"]),
        node("Mul", ["sum", "s"], ["half"]),
        node("Reshape", ["half", "shape"], ["y"]),
      ],
      inputs: [value("x", ["N", 3]), value("w", [1])],
      outputs: [y],
      constants: { w: float32([1], [10]) },
    });
    const imported = load(proto);
    expect(imported.inputs).toEqual([{ name: "x", type: "float32", shape: [null, 3] }]);
    expect([...imported.constants.keys()]).toEqual(["w", "c", "s", "shape"]);
    expect(imported.constants.get("shape")).toEqual(int64([3, -1]));
    expect(imported.nodes.map(({ op }) => op)).toEqual(["Mul", "Add", "Mul", "Reshape"]);
    const feeds = { x: sample([2, 3]) };
    const expected = await runModel(bytes(proto), feeds);
    expect(await runGraph(imported, feeds, expected)).toEqual(expected);
  });

  it("puts nodes into order and gives them different names", () => {
    const nodes = [node("Neg", ["b"], ["y"]), node("Abs", ["a"], ["b"]), node("Exp", ["x"], ["a"])];
    for (const it of nodes) it.name = "same";
    const imported = load(model({ nodes, inputs: [x], outputs: [y] }));
    expect(imported.nodes.map(({ op }) => op)).toEqual(["Exp", "Abs", "Neg"]);
    expect(new Set(imported.nodes.map(({ name }) => name)).size).toBe(3);
  });

  it("keeps subgraphs, and what they read from outside counts for the order", async () => {
    const branch = (op: string) =>
      graph({ nodes: [node(op, ["late"], [`${op}_y`])], outputs: [value(`${op}_y`, [2, 3])] });
    const proto = model({
      nodes: [
        node("Exp", ["x"], ["late"]),
        node("If", ["c"], ["y"], { then_branch: branch("Neg"), else_branch: branch("Abs") }),
      ],
      inputs: [x, value("c", [], "bool")],
      outputs: [y],
    });
    proto.graph?.node.reverse();
    const imported = load(proto);
    expect(imported.nodes.map(({ op }) => op)).toEqual(["Exp", "If"]);
    for (const flag of [0, 1]) {
      const feeds = {
        x: sample([2, 3]),
        c: { type: "bool" as const, shape: [], data: Uint8Array.of(flag) },
      };
      const expected = await runModel(bytes(proto), feeds);
      expect(await runGraph(imported, feeds, expected)).toEqual(expected);
    }
  });

  it.each([
    ["a cycle", [node("Add", ["x", "b"], ["y"]), node("Neg", ["y"], ["b"])], /cycle/],
    ["a node that reads itself", [node("Add", ["x", "y"], ["y"])], /cycle/],
    ["an undefined input", [node("Add", ["x", "ghost"], ["y"])], /"ghost", which nothing defines/],
    ["an undefined output", [node("Neg", ["x"], ["z"])], /Nothing defines .* "y"/],
    ["two makers", [node("Neg", ["x"], ["y"]), node("Abs", ["x"], ["y"])], /"y" is defined twice/],
    ["an input that is made", [node("Neg", ["x"], ["y", "x"])], /"x" is defined twice/],
    ["a node without output", [node("Neg", ["x"], [])], /no output/],
    ["no nodes", [], /no nodes/],
  ])("refuses %s", (_, nodes, message) => {
    expectCode(model({ nodes, inputs: [x], outputs: [y] }), "MODEL_INVALID", message);
  });

  it("refuses constants of one name, sparse and absurd ones", () => {
    const nodes = [node("Add", ["x", "w"], ["y"])];
    const tensor = encodeTensor(float32([1], [1]), "w");
    const parts = { nodes, inputs: [x], outputs: [y] };
    expectCode(model({ ...parts, constants: [tensor, tensor] }), "MODEL_INVALID", /twice/);
    const sparse = model({ ...parts });
    sparse.graph?.sparseInitializer.push(create(SparseTensorProtoSchema, { values: tensor }));
    expectCode(sparse, "MODEL_UNSUPPORTED_TYPE", /sparse/);
    const wide = model({ ...parts, inputs: [value("x", [2 ** 40])] });
    expectCode(wide, "MODEL_INVALID", /axis of 1099511627776/);
    const rankless = model({ ...parts, inputs: [value("x")] });
    expectCode(rankless, "MODEL_INVALID", /known rank/);
  });

  it.each([
    ["QuantizeLinear", /rounding/],
    ["QLinearConv", /rounding/],
    ["ConvInteger", /rounding/],
    ["com.microsoft.MatMulNBits", /stored as whole numbers/],
    ["DequantizeLinear", /stored as whole numbers/],
  ])("refuses the quantised operator %s", (op, why) => {
    const proto = model({ nodes: [node(op, ["x"], ["y"])], inputs: [x], outputs: [y] });
    expectCode(proto, "MODEL_QUANTISED", why);
  });

  it("names the operator that rounds before one that only unpacks", () => {
    const nodes = [node("DequantizeLinear", ["q"], ["y"]), node("QuantizeLinear", ["x"], ["q"])];
    const proto = model({ nodes, inputs: [x], outputs: [y] });
    expectCode(proto, "MODEL_QUANTISED", /QuantizeLinear, whose rounding/);
  });

  it("names a node on the cycle, not one behind it", () => {
    const nodes = [
      node("Neg", ["b"], ["y"]),
      node("Add", ["x", "c"], ["b"]),
      node("Abs", ["b"], ["c"]),
    ];
    const proto = model({ nodes, inputs: [x], outputs: [y] });
    expectCode(proto, "MODEL_INVALID", /(Add node "b"|Abs node "c") is part of a cycle/);
  });

  it("orders very many nodes that wait for the last one", () => {
    const plain = (input: string, output: string) => ({
      op: "Neg",
      domain: "",
      name: output,
      inputs: [input],
      outputs: [output],
      attributes: new Map(),
    });
    const waiting = Array.from({ length: 40_000 }, (_, i) => plain("late", `t${i}`));
    const ordered = inOrder([...waiting, plain("x", "late")], new Set(["x"]));
    expect([ordered.length, ordered[0]?.name]).toEqual([40_001, "late"]);
  });

  it("takes a long chain of nodes in reverse without trouble", () => {
    const names = Array.from({ length: 5_000 }, (_, i) => `t${i}`);
    const nodes = names.slice(1).map((name, i) => node("Neg", [names[i]!], [name]));
    const proto = model({
      nodes: nodes.reverse(),
      inputs: [value("t0", [1])],
      outputs: [value(names.at(-1)!)],
    });
    expect(load(proto).nodes).toHaveLength(4_999);
  });
});

describe("functions", () => {
  const define = (name: string, nodes: ReturnType<typeof node>[]) =>
    create(FunctionProtoSchema, {
      name,
      domain: "local",
      input: ["a"],
      output: ["b"],
      node: nodes,
      opsetImport: [{ domain: "", version: 18n }],
    });
  const parts = { nodes: [node("local.f0", ["x"], ["y"])], inputs: [x], outputs: [y] };

  it("may return an input, take defaults and leave outputs out", async () => {
    const scale = create(AttributeProtoSchema, { name: "alpha", refAttrName: "slope", type: 1 });
    const elu = node("Elu", ["a"], ["e"]);
    elu.attribute.push(scale);
    const f0 = define("f0", [elu, node("Neg", ["e"], ["unused"])]);
    f0.attribute = ["slope"];
    f0.output = ["a", "e", "unused"];
    const calls = [
      node("local.f0", ["x"], ["same", "elu1"]),
      node("local.f0", ["same"], ["", "elu2"], { slope: { float: 3 } }),
      node("Sub", ["elu1", "elu2"], ["y"]),
    ];
    const imported = load(model({ nodes: calls, inputs: [x], outputs: [y], functions: [f0] }));
    const reference = model({
      nodes: [
        node("Elu", ["x"], ["elu1"]),
        node("Elu", ["x"], ["elu2"], { alpha: { float: 3 } }),
        node("Sub", ["elu1", "elu2"], ["y"]),
      ],
      inputs: [x],
      outputs: [y],
    });
    const feeds = { x: sample([2, 3]) };
    const expected = await runModel(bytes(reference), feeds);
    expect(await runGraph(imported, feeds, expected)).toEqual(expected);
  });

  it("share their constants between calls", () => {
    const constant = node("Constant", [], ["c"], { value: zeros([1000]) });
    const f0 = define("f0", [constant, node("Add", ["a", "c"], ["b"])]);
    const calls = [node("local.f0", ["x"], ["z"]), node("local.f0", ["z"], ["y"])];
    const imported = load(model({ nodes: calls, inputs: [x], outputs: [y], functions: [f0] }));
    const [first, second] = imported.constants.values();
    expect(imported.constants.size).toBe(2);
    expect(first).toBe(second);
  });

  it("refuses recursion", () => {
    const functions = [define("f0", [node("local.f0", ["a"], ["b"])])];
    expectCode(model({ ...parts, functions }), "MODEL_INVALID", /calls itself/);
  });

  it("refuses exponential growth", () => {
    const functions = Array.from({ length: 40 }, (_, i) =>
      define(`f${i}`, [
        node(`local.f${i + 1}`, ["a"], ["c"]),
        node(`local.f${i + 1}`, ["c"], ["b"]),
      ]),
    );
    expectCode(model({ ...parts, functions }), "MODEL_TOO_LARGE", /nodes/);
  });

  it("refuses a long name that many calls make their own", () => {
    const inside = "c".repeat(2 ** 16);
    const functions = [define("f0", [node("Neg", ["a"], [inside]), node("Neg", [inside], ["b"])])];
    const calls = Array.from({ length: 2000 }, (_, i) =>
      node("local.f0", [i === 0 ? "x" : `t${i}`], [i === 1999 ? "y" : `t${i + 1}`]),
    );
    expectCode(model({ ...parts, nodes: calls, functions }), "MODEL_TOO_LARGE", /long names/);
  });

  it("refuses a reference to an attribute outside functions", () => {
    const proto = model({ nodes: [node("Elu", ["x"], ["y"])], inputs: [x], outputs: [y] });
    proto.graph?.node[0]?.attribute.push(
      create(AttributeProtoSchema, { name: "alpha", refAttrName: "slope", type: 1 }),
    );
    expectCode(proto, "MODEL_INVALID", /outside any function/);
  });
});
