import { describe, expect, test } from "vitest";
import { gradients } from "../../src/autodiff/gradients.ts";
import { checkDifferentiable, differentiability, withoutRule } from "../../src/autodiff/support.ts";
import { float32 } from "../../src/core/tensor.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import type { Value } from "../../src/onnx/graph.ts";
import { execute } from "../support/execute.ts";

/** The gradients of a loss that `write` makes of the input x = (1, −2, 3), as arrays. */
async function gradientsOf(
  write: (b: GraphBuilder, x: Value) => { loss: Value; wrt: readonly Value[] },
): Promise<number[][]> {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", [3]);
  const { loss, wrt } = write(b, x);
  gradients(b, loss, wrt).forEach((value, i) => {
    b.output(`${i}`, value);
  });
  const results = await execute(b.build(), { x: float32([3], [1, -2, 3]) });
  return wrt.map((_, i) => Array.from(results[`${i}`]!.data as Float32Array));
}

describe("gradients", () => {
  test("adds the contributions of every use", async () => {
    const found = await gradientsOf((b, x) => {
      const loss = b.sum(b.add(b.mul(x, x), b.mul(x, b.mul(x, x))));
      return { loss, wrt: [x] };
    });
    expect(found).toEqual([[5, 8, 33]]); // 2x + 3x²
  });

  test("is 1 for the output itself and 0 for what it does not depend on", async () => {
    const found = await gradientsOf((b, x) => {
      const loss = b.sum(x);
      return { loss, wrt: [loss, b.constant(float32([2], [1, 2])), x] };
    });
    expect(found).toEqual([[1], [0, 0], [1, 1, 1]]);
  });

  test("reaches constants and intermediate results", async () => {
    const found = await gradientsOf((b, x) => {
      const weight = b.constant(float32([3], [10, 20, 30]));
      const product = b.mul(x, weight);
      return { loss: b.sum(b.mul(product, product)), wrt: [product, weight, x] };
    });
    expect(found).toEqual([
      [20, -80, 180],
      [20, 160, 540],
      [200, -1600, 5400],
    ]);
  });

  test("does not pass comparisons, and so needs no rule before them", async () => {
    const found = await gradientsOf((b, x) => {
      const unknown = b.op("Unique", [x], { sorted: 0 }, x);
      const mask = b.cast(b.greater(unknown, b.scalar(0)), "float32");
      return { loss: b.sum(b.mul(mask, x)), wrt: [x] };
    });
    expect(found).toEqual([[1, 0, 1]]);
  });

  test("can be differentiated again", async () => {
    const found = await gradientsOf((b, x) => {
      const loss = b.sum(b.mul(x, b.mul(x, x)));
      const [slope] = gradients(b, loss, [x]);
      return { loss: b.sum(slope!), wrt: [x] };
    });
    expect(found).toEqual([[6, -12, 18]]);
  });

  test("appends nothing for what is not asked", () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", [1, 3, 8, 8]);
    const w = b.input("w", "float32", [4, 3, 3, 3]);
    const window = { strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1] };
    const loss = b.sum(b.conv(x, w, undefined, window));
    gradients(b, loss, [x]);
    expect(b.nodes.filter(({ op }) => op === "MatMul")).toEqual([]);
    expect(b.nodes.filter(({ op }) => op === "Conv")).toHaveLength(2);
  });

  test("refuses a gradient through a result that has none", () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", [2, 3]);
    const scale = b.constant(float32([3], [1, 1, 1]));
    const statistics = { type: "float32", shape: [2, 1] } as const;
    const [, mean] = b.emit("LayerNormalization", [x, scale], {}, [x, statistics, statistics]);
    expect(() => gradients(b, b.sum(mean!), [x])).toThrowError(
      expect.objectContaining({ code: "MODEL_NOT_DIFFERENTIABLE" }),
    );
  });

  test("refuses axes that are known only at run time", () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", [2, 3]);
    const axes = b.input("axes", "int64", [1]);
    const y = b.op("ReduceSum", [x, axes], {}, { type: "float32", shape: [2, 1] });
    expect(() => gradients(b, b.sum(y), [x])).toThrow(/constant for input 1 \("axes"\)/);
  });

  test("names the node and the operator without a rule, and appends nothing", () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", [3]);
    const loss = b.sum(b.op("Unique", [x], { sorted: 0 }, x));
    const before = b.nodes.length;
    expect(() => gradients(b, loss, [x])).toThrow(/Unique node "~Unique\.0"/);
    expect(b.nodes.length).toBe(before);
  });
});

describe("support", () => {
  test("distinguishes what has a rule, what has no gradient and what is unknown", () => {
    expect(differentiability("Conv")).toBe("differentiable");
    expect(differentiability("ArgMax")).toBe("piecewise constant");
    expect(differentiability("Loop")).toBe("unsupported");
    expect(differentiability("Conv", "com.example")).toBe("unsupported");
  });

  test("lists the nodes without a rule on the way only", () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", [3]);
    const between = b.op("Unique", [x], { sorted: 0 }, x);
    const aside = b.op("Det", [x], {}, x);
    const y = b.add(b.unary("Relu", between), b.op("Unique", [b.scalar(1)], {}, x));
    b.output("aside", aside);
    const graph = b.build();
    expect(withoutRule(graph, ["x"], [y.name]).map(({ op }) => op)).toEqual(["Unique"]);
    expect(() => checkDifferentiable(graph, ["x"], [y.name, aside.name])).toThrow(/Unique.*Det/);
    expect(() => checkDifferentiable(graph, [between.name], [y.name])).not.toThrow();
  });
});
