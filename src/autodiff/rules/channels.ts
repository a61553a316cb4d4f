import { sizeOf } from "../../core/tensor.ts";
import type { GraphBuilder } from "../../onnx/builder.ts";
import type { Value } from "../../onnx/graph.ts";

/**
 * Σ over the batch and all positions: [N, C, …] → [C]. In two steps, because ONNX Runtime sums rows
 * fastest: [128,64,32,32] took 2.0 ms of CPU time against 4.6 for one ReduceSum over three axes.
 */
export function channelSum(b: GraphBuilder, x: Value): Value {
  const [batch, channels, ...spatial] = x.shape as [number, number, ...number[]];
  const rows = b.sum(b.reshape(x, [batch, channels, sizeOf(spatial)]), [2]); // [N, C]
  return b.sum(rows, [0]);
}

/** A vector per channel, shaped so that it broadcasts with [N, C, …] of the rank: [C] → [C, 1, …]. */
export function perChannel(b: GraphBuilder, vector: Value, rank: number): Value {
  const ones = Array.from({ length: rank - 2 }, () => 1);
  return b.reshape(vector, [...vector.shape, ...ones]);
}
