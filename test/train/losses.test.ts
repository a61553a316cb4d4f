import { describe, expect, it } from "vitest";
import { float32, int64, toNumbers } from "../../src/core/tensor.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import type { Value } from "../../src/onnx/graph.ts";
import { correct, crossEntropy, distillation, rowMean } from "../../src/train/losses.ts";
import { testDevice } from "../support/device.ts";

const device = await testDevice();

const ROWS = [
  [2, -1, 0.5, 0],
  [0, 3, -200, 1],
  [-1, -1, -1, 4],
];
const LABELS = [0, 3, 3];
const logits = float32([3, 4], ROWS.flat());
const labels = int64(LABELS);

async function evaluate(
  write: (b: GraphBuilder, logits: Value, labels: Value) => Value,
): Promise<number[]> {
  const b = new GraphBuilder();
  b.output("y", write(b, b.input("logits", "float32", [3, 4]), b.input("labels", "int64", [3])));
  await using program = await device.compile(b.build());
  return toNumbers((await program.run({ logits, labels }))["y"]!);
}

/** log softmax in float64. */
function logSoftmax(row: number[]): number[] {
  const top = Math.max(...row);
  const total = Math.log(row.reduce((sum, v) => sum + Math.exp(v - top), 0)) + top;
  return row.map((v) => v - total);
}

function expectClose(actual: number[], expected: number[]): void {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, i) => {
    expect(Math.abs(value - expected[i]!)).toBeLessThan(2e-6 * Math.max(1, Math.abs(expected[i]!)));
  });
}

describe("losses", () => {
  it.each([0, 0.1])("cross-entropy with smoothing %d", async (smoothing) => {
    const expected = ROWS.map(
      (row, i) =>
        -logSoftmax(row).reduce((sum, logp, k) => {
          const q = (k === LABELS[i] ? 1 - smoothing : 0) + smoothing / 4;
          return sum + q * logp;
        }, 0),
    );
    expectClose(await evaluate((b, x, y) => crossEntropy(b, x, y, smoothing)), expected);
  });

  it.each([1, 4])("distillation at temperature %d", async (temperature) => {
    const teacher = [
      [1, 1, 1, 1],
      [0, 3, -200, 1],
      [5, 0, 0, 0],
    ];
    const expected = ROWS.map((row, i) => {
      const from = logSoftmax(teacher[i]!.map((v) => v / temperature));
      const to = logSoftmax(row.map((v) => v / temperature));
      return temperature ** 2 * from.reduce((sum, p, k) => sum + Math.exp(p) * (p - to[k]!), 0);
    });
    expect(expected[1]).toBe(0);
    const from = float32([3, 4], teacher.flat());
    expectClose(
      await evaluate((b, x) => distillation(b, b.constant(from), x, temperature)),
      expected,
    );
  });

  it("counts rows as correct by their highest logit", async () => {
    expect(await evaluate(correct)).toEqual([1, 0, 1]);
  });

  it("averages over the rows that count", async () => {
    const mean = (mask?: number[]) =>
      evaluate((b, x, y) => rowMean(b, correct(b, x, y), mask && b.constant(float32([3], mask))));
    expectClose(await mean(), [2 / 3]);
    expectClose(await mean([1, 1, 0]), [1 / 2]);
  });
});
