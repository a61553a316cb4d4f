import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { gradients } from "../../src/autodiff/gradients.ts";
import { float32, int64, toNumbers } from "../../src/core/tensor.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { slol } from "../../src/repairs/slol.ts";
import { execute } from "../support/execute.ts";
import { fill } from "../train/fill.ts";

interface Case {
  readonly form: "paper" | "released";
  readonly labels: readonly number[];
  readonly value: number;
  readonly gradient: readonly number[];
}
const { cases } = JSON.parse(
  readFileSync(new URL("goldens/slol.json", import.meta.url), "utf8"),
) as { readonly cases: readonly Case[] };

const N = 12;
const D = 7;
const CLASSES = 6;
// Float32 against float64: sums of some dozens of terms of size 1.
const TOLERANCE = 2e-6;

async function ours(form: Case["form"], labels: readonly number[], same = false) {
  const b = new GraphBuilder();
  const tuned = b.input("tuned", "float32", [N, D]); // [N,d]
  const of = b.input("labels", "int64", [N]); // [N]
  const pivot = b.constant(fill(1, [N, D]));
  const value = slol(b, pivot, tuned, of, CLASSES, form);
  b.output("value", value);
  b.output("gradient", gradients(b, value, [tuned])[0]!);
  const feeds = { tuned: fill(same ? 1 : 2, [N, D]), labels: int64(labels) };
  const results = await execute(b.build(), feeds);
  return {
    value: toNumbers(results["value"]!)[0]!,
    gradient: toNumbers(results["gradient"]!),
  };
}

describe("SLOL agrees with PyTorch, pair by pair", () => {
  test.each(cases.map((it) => [it.form, new Set(it.labels).size, it] as const))(
    "%s, %i of 6 classes in the batch",
    async (form, _, { labels, value, gradient }) => {
      const found = await ours(form, labels);
      expect(Math.abs(found.value - value)).toBeLessThan(TOLERANCE * Math.max(1, Math.abs(value)));
      const apart = found.gradient.map((v, i) => Math.abs(v - gradient[i]!));
      expect(Math.max(...apart)).toBeLessThan(TOLERANCE);
    },
  );
});

describe("SLOL", () => {
  test("is largest where nothing has turned, with a finite gradient", async () => {
    const labels = Array.from({ length: N }, (_, i) => i % CLASSES);
    const start = await ours("paper", labels, true);
    const turned = await ours("paper", labels);
    expect(start.value).toBeGreaterThan(turned.value);
    expect(start.gradient.every(Number.isFinite)).toBe(true);
  });

  test("of classes that are one in float32 has a slope that no step dies of", async () => {
    const b = new GraphBuilder();
    const tuned = b.input("tuned", "float32", [2, D]); // [N,d]
    // Of norm 30, and 0.003 apart: of their squared distance rounding leaves nothing.
    const near = Float32Array.from(
      { length: 2 * D },
      (_, i) => 30 / Math.sqrt(D) + (i === D ? 3e-3 : 0),
    );
    const pivot = b.constant(float32([2, D], near));
    const value = slol(b, pivot, tuned, b.constant(int64([0, 1])), 2, "paper");
    b.output("gradient", gradients(b, value, [tuned])[0]!);
    const { gradient } = await execute(b.build(), { tuned: float32([2, D], near) });
    expect(Math.max(...toNumbers(gradient!).map(Math.abs))).toBeLessThan(1e4);
  });

  test("of one class is 0 without a gradient, in the form of the paper", async () => {
    const found = await ours("paper", Array(N).fill(3));
    expect(found.value).toBe(0);
    expect(found.gradient.every((v) => v === 0)).toBe(true);
  });
});
