import { AntidoteError } from "../core/errors.ts";
import { type FloatTensor, float32, sizeOf } from "../core/tensor.ts";
import type { Classifier } from "../models/classifier.ts";
import type { Graph, Node } from "../onnx/graph.ts";

/**
 * Convolutions with weights of their own, in the order in which they are computed; not one that is the head.
 * @param repair who asks, for the error
 * @throws `INVALID_CONFIG` if there are none
 */
export function convolutions(network: Graph, model: Classifier, repair: string): Node[] {
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
