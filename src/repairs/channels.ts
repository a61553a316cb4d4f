import { AntidoteError } from "../core/errors.ts";
import { type FloatTensor, float32, sizeOf } from "../core/tensor.ts";
import type { Classifier } from "../models/classifier.ts";
import { attribute, graphValue, type Node, producers, type StaticGraph } from "../onnx/graph.ts";

/**
 * Convolutions with weights of their own, in the order in which they are computed; not one that is the head.
 * @param repair who asks, for the error
 * @throws `INVALID_CONFIG` if there are none, or in a transformer
 */
export function convolutions(network: StaticGraph, model: Classifier, repair: string): Node[] {
  refuseTransformer(network, model, repair);
  const found = network.nodes.filter(
    ({ op, inputs }) =>
      op === "Conv" && model.weights.has(inputs[1]!) && inputs[1] !== model.roles.head.weight,
  );
  if (found.length > 0) return found;
  throw new AntidoteError("INVALID_CONFIG", "The model has no convolution to prune.", {
    place: repair,
    next: "Choose another repair.",
  });
}

/**
 * Refuses networks whose convolutions look at no neighbourhood: what they do is cut the image into patches (ViT, the
 * image tower of CLIP, Swin) or act on one position, and attention does the rest. One convolution whose windows overlap
 * makes a network convolutional, attention or not, and so does having no attention.
 * @param repair who asks, for the error
 * @throws `INVALID_CONFIG`
 */
export function refuseTransformer(network: StaticGraph, model: Classifier, repair: string): void {
  const convs = network.nodes.filter(({ op }) => op === "Conv");
  if (convs.length === 0 || convs.some((conv) => overlaps(network, conv))) return;
  if (!attends(network, model.roles.logits)) return;
  throw new AntidoteError(
    "INVALID_CONFIG",
    "The model is a transformer: its convolutions only cut the image into patches.",
    {
      place: repair,
      next: "Choose another repair, such as trigger-unlearning: this one is for convolutional networks.",
    },
  );
}

/** Whether neighbouring windows of a convolution share pixels. */
function overlaps(network: StaticGraph, conv: Node): boolean {
  const [, , ...kernel] = graphValue(network, conv.inputs[1]!).shape; // [K,C/groups,…]
  const strides = attribute(conv, "strides", "ints", []);
  return kernel.some((extent, axis) => (strides[axis] ?? 1) < extent);
}

/** Whether the class scores depend on attention; a softmax that the file puts behind them is none. */
function attends(network: StaticGraph, logits: string): boolean {
  const makers = producers(network);
  const seen = new Set<string>();
  const open = [logits];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const node = makers.get(name);
    if (!node || seen.has(name)) continue;
    if (node.op === "Softmax" || node.op === "Attention") return true;
    seen.add(name);
    open.push(...node.inputs);
  }
  return false;
}

/** A tensor [K,…] with the value of every channel. @param values [K] */
export function perChannel(shape: readonly number[], values: Float32Array): FloatTensor {
  const length = sizeOf(shape);
  const each = length / values.length;
  const data = Float32Array.from({ length }, (_, at) => values[Math.floor(at / each)]!);
  return float32(shape, data);
}

/** The model with every channel of some constants times a value, [K] each. */
export function withChannels(
  model: Classifier,
  factors: ReadonlyMap<string, Float32Array>,
): Classifier {
  const weights = new Map(model.weights);
  for (const [name, values] of factors) {
    const { shape, data } = model.constant(name) as FloatTensor;
    const factor = perChannel(shape, values);
    weights.set(
      name,
      float32(
        shape,
        data.map((value, at) => value * factor.data[at]!),
      ),
    );
  }
  return model.withWeights(weights);
}
