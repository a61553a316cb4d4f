import { expect, test } from "vitest";
import { liveBatchNorm } from "../../src/autodiff/live-batch-norm.ts";
import { float32 } from "../../src/core/tensor.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";

/** Batch norm of [N,2] images, one value for each channel of an image. */
function normed(batch: number) {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", [batch, 2]);
  const [ones, zeros] = [1, 0].map((value) => b.constant(float32([2], [value, value])));
  const y = b.op("BatchNormalization", [x, ones!, zeros!, zeros!, ones!], {}, x);
  b.output("y", y);
  return b.build();
}

test("batch norm over a single value is refused: its unbiased variance would be no number", () => {
  expect(liveBatchNorm(normed(2)).running.size).toBe(2);
  expect(() => liveBatchNorm(normed(1))).toThrowError(
    expect.objectContaining({ code: "INVALID_CONFIG", next: expect.stringContaining("--memory") }),
  );
});
