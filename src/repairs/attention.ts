import type { GraphBuilder } from "../onnx/builder.ts";
import { attribute, type Node, type StaticGraph, type Value } from "../onnx/graph.ts";

/** Smallest norm that an attention map is divided by. */
const TINY = 1e-12;

/**
 * The feature maps that attention is compared on: the last one of every spatial size, which in residual networks
 * is what every stage hands on. Tensors whose channels a Transpose has moved, [N,H,W,C] as a rule, are no such maps.
 * @param network a graph of known shapes
 * @returns names of tensors [N,C,H,W] with more than one position, the largest maps first
 */
export function attentionLayers(network: StaticGraph): string[] {
  const last = new Map<string, string>();
  const moved = new Map<string, Axes>();
  let convolved = false;
  for (const node of network.nodes) {
    convolved ||= node.op === "Conv";
    const value = network.values.get(node.outputs[0]!);
    if (!convolved || value?.type !== "float32" || value.shape.length !== 4) continue;
    const axes = axesOf(node, moved);
    if (axes[1] !== 1) {
      for (const output of node.outputs) moved.set(output, axes);
      continue;
    }
    const [, , height, width] = value.shape as [number, number, number, number];
    if (height * width > 1) last.set(`${height}×${width}`, value.name);
  }
  return [...last.values()];
}

/** For every axis of a tensor the axis of [N,C,H,W] that it is. */
type Axes = readonly number[];

const IN_ORDER: Axes = [0, 1, 2, 3];

/** Operators whose second axis is that of the channels, whatever it was before; a new shape is taken to be one, too. */
const CHANNELS_SECOND =
  /^(Conv|ConvTranspose|BatchNormalization|InstanceNormalization|.*Pool|Reshape)$/;

/** Where the axes are in what a node makes. @param moved tensors whose channels are elsewhere, of those made so far */
function axesOf(node: Node, moved: ReadonlyMap<string, Axes>): Axes {
  if (CHANNELS_SECOND.test(node.op)) return IN_ORDER;
  const before = node.inputs.map((name) => moved.get(name)).find((axes) => axes) ?? IN_ORDER;
  if (node.op !== "Transpose") return before;
  const order = attribute(node, "perm", "ints", [3, 2, 1, 0]);
  return order.map((axis) => before[axis]!);
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
