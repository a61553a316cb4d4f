import { sizeOf } from "../core/tensor.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { Value } from "../onnx/graph.ts";
import type { LossTerms } from "./fine-tune.ts";

/**
 * How far a model under repair has moved from the suspect, over all P trained weights.
 *
 * @param form "sum-squared": Σ(Δθ²), "mean-squared": Σ(Δθ²)/P, "l2": √Σ(Δθ²)
 * @returns a scalar
 */
export function parameterDistance(
  b: GraphBuilder,
  { names, weight, pivotWeight }: LossTerms,
  form: "sum-squared" | "mean-squared" | "l2",
): Value {
  const total = names
    .map((name) => b.sumSquares(b.sub(weight(name), pivotWeight(name))))
    .reduce((sum, part) => b.add(sum, part));
  if (form === "sum-squared") return total;
  // The bound keeps the slope of √ finite at the start, where all differences are zero.
  if (form === "l2") return b.unary("Sqrt", b.max(total, b.scalar(1e-12)));
  const count = names.reduce((sum, name) => sum + sizeOf(weight(name).shape), 0);
  return b.mul(total, b.scalar(1 / count));
}
