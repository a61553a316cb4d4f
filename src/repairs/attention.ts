import type { GraphBuilder } from "../onnx/builder.ts";
import type { StaticGraph, Value } from "../onnx/graph.ts";

/** Smallest norm that an attention map is divided by. */
const TINY = 1e-12;

/**
 * The feature maps that attention is compared on: the last one of every spatial size, which in residual networks
 * is what every stage hands on.
 * @param network a graph of known shapes
 * @returns names of tensors [N,C,H,W] with more than one position, the largest maps first
 */
export function attentionLayers(network: StaticGraph): string[] {
  const last = new Map<string, string>();
  let convolved = false;
  for (const { op, outputs } of network.nodes) {
    convolved ||= op === "Conv";
    const value = network.values.get(outputs[0]!);
    if (!convolved || value?.type !== "float32" || value.shape.length !== 4) continue;
    const [, , height, width] = value.shape as [number, number, number, number];
    if (height * width > 1) last.set(`${height}×${width}`, value.name);
  }
  return [...last.values()];
}

/**
 * Attention of every position, of length 1 for every image: A = Σ_c |F_c|^p / ‖Σ_c |F_c|^p‖₂.
 * @param features [N,C,H,W]
 * @param power p, a whole number from 1 on
 * @returns [N,H·W]
 */
export function attentionMap(b: GraphBuilder, features: Value, power: number): Value {
  const [n, , height, width] = features.shape as [number, number, number, number];
  const magnitude = b.unary("Abs", features);
  const raised = Array.from({ length: power }, () => magnitude).reduce((a, c) => b.mul(a, c));
  const attention = b.reshape(b.sum(raised, [1]), [n, height * width]);
  // The bound keeps the slope of √ finite where a map is dark throughout.
  const norm = b.unary("Sqrt", b.max(b.sumSquares(attention, [1], true), b.scalar(TINY)));
  return b.div(attention, norm);
}
