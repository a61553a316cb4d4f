import { describe, expect, test } from "vitest";
import { gradients } from "../../src/autodiff/gradients.ts";
import { CONSTANT, RULES } from "../../src/autodiff/rules/index.ts";
import { type Tensor, tensor } from "../../src/core/tensor.ts";
import { compile, execute } from "../support/execute.ts";
import { fill } from "../train/fill.ts";
import { buildCase, CASES, GOLDENS } from "./cases.ts";
import { doubled, doubleGraph } from "./double.ts";

/** Rounding of float32 over a few hundred additions, relative to the largest entry. */
const GOLDEN_TOLERANCE = 1e-5;

/**
 * Central differences: step and tolerance relative to Σ|gradient·direction|. In float64 the step's
 * square, times a third derivative, remains; in float32 the rounding of the loss over the step.
 */
const DIFFERENCES = {
  float64: { step: 1e-5, tolerance: 1e-7 },
  float32: { step: 2 ** -11, tolerance: 2e-3 },
};

test("every operator with a rule has a case", () => {
  const tested = new Set(CASES.map(({ op }) => op));
  const missing = Object.entries(RULES).filter(
    ([op, rule]) => rule !== CONSTANT && !tested.has(op),
  );
  // Operators that share a rule with a tested one and differ in name only are no exception.
  expect(missing.map(([op]) => op)).toEqual([]);
});

describe.each(CASES)("$name", (spec) => {
  const golden = GOLDENS[spec.name]!;

  test("agrees with PyTorch", async () => {
    const { b, loss, feeds, wrt, build } = buildCase(spec, golden);
    const found = gradients(
      b,
      loss,
      wrt.map(({ value }) => value),
    );
    found.forEach((value, i) => {
      b.output(`gradient ${i}`, value);
      expect(value.shape).toEqual(wrt[i]!.value.shape);
    });
    const results = await execute(build(), feeds);
    wrt.forEach(({ golden }, i) => {
      const scale = Math.max(...golden.map(Math.abs), 1e-3);
      const ours = results[`gradient ${i}`]!.data as Float32Array;
      expect(ours.length).toBe(golden.length);
      const worst = golden.reduce(
        (most, value, at) => Math.max(most, Math.abs(value - ours[at]!)),
        0,
      );
      expect(worst / scale, `operand ${i}`).toBeLessThan(GOLDEN_TOLERANCE);
    });
  });

  test.skipIf(spec.kinked)("agrees with finite differences", async () => {
    const { b, loss, feeds, wrt, build } = buildCase(spec, golden);
    const found = gradients(
      b,
      loss,
      wrt.map(({ value }) => value),
    );
    b.output("loss", loss);
    found.forEach((value, i) => {
      b.output(`gradient ${i}`, value);
    });
    const double = spec.precision !== "float32";
    const { step, tolerance } = DIFFERENCES[double ? "float64" : "float32"];
    const run = await compile(double ? doubleGraph(build()) : build());
    const at = double ? mapValues(feeds, doubled) : feeds;
    const centre = await run(at);
    for (const [i, { value }] of wrt.entries()) {
      const direction = fill(200 + i, value.shape).data;
      const gradient = centre[`gradient ${i}`]!.data as Float64Array;
      const lossAt = async (t: number) => {
        const results = await run({ ...at, [value.name]: moved(at[value.name]!, direction, t) });
        return (results["loss"]!.data as Float64Array)[0]!;
      };
      const difference = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
      const products = Array.from(gradient, (entry, k) => entry * direction[k]!);
      const derivative = products.reduce((total, product) => total + product, 0);
      const scale = products.reduce((total, product) => total + Math.abs(product), 1e-3);
      expect(Math.abs(derivative - difference) / scale, `operand ${i}`).toBeLessThan(tolerance);
    }
  });
});

function mapValues<A, B>(record: Readonly<Record<string, A>>, f: (value: A) => B) {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value)]));
}

/** x + t·direction. */
function moved(x: Tensor, direction: Float32Array, t: number): Tensor {
  const data = (x.data as Float64Array).map((value, i) => value + t * direction[i]!);
  return tensor(x.type, x.shape, data);
}
