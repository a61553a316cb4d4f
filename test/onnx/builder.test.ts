import { describe, expect, it } from "vitest";
import { float32, toNumbers } from "../../src/core/tensor.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import type { Attribute, StaticGraph, Value } from "../../src/onnx/graph.ts";
import { execute } from "../support/execute.ts";
import { graph, node, value } from "./build.ts";

/** y = 2x if the sum of x is positive, 2|x| otherwise; x and the result [2]. */
function doubling(): StaticGraph {
  const branch = (op: string): Attribute => ({
    kind: "graph",
    value: graph({
      nodes: [node(op, ["x"], ["inner"]), node("Mul", ["inner", "two"], ["product"])],
      outputs: [value("product")],
    }),
  });
  const b = new GraphBuilder();
  const x = b.input("x", "float32", [2]);
  b.constant(float32([], [2]), "two");
  const positive = b.greater(b.sum(x), b.scalar(0));
  const y: Value = b.emit("If", [positive], {}, [x], ["y"])[0]!;
  b.output("y", y);
  const built = b.build();
  const attributes = new Map([
    ["then_branch", branch("Identity")],
    ["else_branch", branch("Abs")],
  ]);
  const nodes = built.nodes.map((it) => (it.op === "If" ? { ...it, attributes } : it));
  return { ...built, nodes };
}

describe("a graph that is copied into another one", () => {
  it("takes the branches inside its nodes along, with what they read from outside", async () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", [2]);
    const network = doubling();
    const once = b.inline(network, "first/", { x })("y");
    const twice = b.inline(network, "second/", { x: b.unary("Neg", once) })("y");
    b.output("once", once);
    b.output("twice", twice);
    const found = await execute(b.build(), { x: float32([2], [3, -1]) });
    expect(toNumbers(found["once"]!)).toEqual([6, -2]);
    expect(toNumbers(found["twice"]!)).toEqual([12, 4]);
  });
});
