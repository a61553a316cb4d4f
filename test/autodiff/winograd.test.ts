import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gradients } from "../../src/autodiff/gradients.ts";
import { winogradConvolutions } from "../../src/autodiff/winograd.ts";
import type { FloatTensor } from "../../src/core/tensor.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import type { Node } from "../../src/onnx/graph.ts";
import { openDevice, type ProcessDevice } from "../../src/runtime/process-device.ts";
import { fill } from "../train/fill.ts";

/** Entries are compared by their distance in units of the typical entry; seen: a few 1e-6. */
const TOLERANCE = 3e-5;
const [INPUTS, OUTPUTS] = [128, 144];

let device: ProcessDevice;
beforeAll(async () => {
  device = await openDevice({ name: "cpu", threads: 2 });
});
afterAll(() => device.close());

interface Form {
  readonly batch?: number;
  readonly height?: number;
  readonly width?: number;
  readonly pads?: readonly number[];
  readonly bias?: boolean;
}

/** L = Σ r·(x ∗ w + bias) with its gradients, and the same gradients from other operators. */
function graphOf({ batch = 8, height = 8, width = 8, pads = [1, 1, 1, 1], bias }: Form) {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", [batch, INPUTS, height, width]); // [N,C,H,W]
  const w = b.input("w", "float32", [OUTPUTS, INPUTS, 3, 3]); // [K,C,3,3]
  const shift = bias ? b.input("bias", "float32", [OUTPUTS]) : undefined;
  const window = { strides: [1, 1], dilations: [1, 1], pads };
  const y = b.conv(x, w, shift, window);
  const r = b.input("r", "float32", y.shape); // [N,K,H',W'] = dL/dy
  const [dx, dw] = gradients(b, b.sum(b.mul(y, r)), [x, w]);
  b.output("y", y);
  b.output("dx", dx!);
  b.output("dw", dw!);

  b.output(
    "dx/direct",
    b.op("ConvTranspose", [r, w], { pads: [...pads], kernel_shape: [3, 3] }, x),
  );
  const swap = [1, 0, 2, 3];
  const correlated = b.conv(b.transpose(x, swap), b.transpose(r, swap), undefined, window); // [C,K,3,3]
  b.output("dw/direct", b.transpose(correlated, swap));
  return b.build();
}

async function run(form: Form, rewrite: boolean): Promise<Record<string, FloatTensor>> {
  const graph = graphOf(form);
  await using program = await device.compile(rewrite ? winogradConvolutions(graph) : graph);
  const feeds = graph.inputs.map(({ name, shape }, i) => [name, fill(i, shape)] as const);
  return (await program.run(Object.fromEntries(feeds))) as Record<string, FloatTensor>;
}

function distance(actual: FloatTensor, expected: FloatTensor): number {
  expect(actual.shape).toEqual(expected.shape);
  const square = expected.data.reduce((total, v) => total + v * v, 0) / expected.data.length;
  const largest = actual.data.reduce(
    (worst, v, i) => Math.max(worst, Math.abs(v - expected.data[i]!)),
    0,
  );
  return largest / Math.sqrt(square);
}

function products({ nodes }: { readonly nodes: readonly Node[] }): number {
  return nodes.filter(({ op }) => op === "MatMul").length;
}

describe("Winograd's algorithm", () => {
  test.each<[string, Form]>([
    ["whole tiles", {}],
    ["a bias", { bias: true }],
    ["tiles that hang over the end", { height: 7, width: 5, batch: 11 }],
    ["no padding", { pads: [0, 0, 0, 0], height: 10, width: 10 }],
    ["different padding on every side", { pads: [0, 1, 2, 1], width: 9 }],
  ])("agrees with direct convolution: %s", async (_, form) => {
    const graph = graphOf(form);
    expect(products(graph)).toBeGreaterThan(0); // the gradients
    expect(products(winogradConvolutions(graph))).toBeGreaterThan(products(graph)); // and y itself
    const [ours, direct] = [await run(form, true), await run(form, false)];
    expect(distance(ours["y"]!, direct["y"]!)).toBeLessThan(TOLERANCE);
    expect(distance(ours["dx"]!, direct["dx/direct"]!)).toBeLessThan(TOLERANCE);
    expect(distance(ours["dw"]!, direct["dw/direct"]!)).toBeLessThan(TOLERANCE);
  });

  test.each([
    ["a stride", { strides: [2, 2] }, [256, 256, 3, 3], 1],
    ["dilation", { dilations: [2, 2] }, [256, 256, 3, 3], 1],
    ["groups", {}, [256, 128, 3, 3], 2],
    ["a kernel of another size", {}, [256, 256, 5, 5], 1],
    ["few channels", {}, [256, 64, 3, 3], 1],
  ] as const)("leaves a convolution with %s alone", (_, window, shape, group) => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", [16, shape[1] * group, 8, 8]);
    const w = b.input("w", "float32", shape);
    const all = { strides: [1, 1], dilations: [1, 1], pads: [2, 2, 2, 2], ...window };
    b.output("y", b.conv(x, w, undefined, all, group));
    expect(winogradConvolutions(b.build()).nodes.map(({ op }) => op)).toContain("Conv");
  });
});
