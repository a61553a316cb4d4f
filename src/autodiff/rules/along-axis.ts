import { sizeOf } from "../../core/tensor.ts";
import type { GraphBuilder } from "../../onnx/builder.ts";
import type { Value } from "../../onnx/graph.ts";

/**
 * A matrix applied along one axis, whatever the others: y[…, i, …] = Σ_j matrix[i, j]·x[…, j, …].
 * @param matrix [m, n], n the extent of the axis
 * @param axis not negative
 * @returns x's shape with m in the place of n
 */
export function alongAxis(b: GraphBuilder, matrix: Value, x: Value, axis: number): Value {
  const [m, n] = matrix.shape as [number, number];
  const before = x.shape.slice(0, axis);
  const after = x.shape.slice(axis + 1);
  const shape = [...before, m, ...after];
  if (sizeOf(after) === 1) {
    const rows = b.matmul(b.reshape(x, [sizeOf(before), n]), b.transpose(matrix, [1, 0]));
    return b.reshape(rows, shape);
  }
  const entries = b.reshape(x, [sizeOf(before), n, sizeOf(after)]);
  return b.reshape(b.matmul(matrix, entries), shape);
}
