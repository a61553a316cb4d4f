import { attribute, type StaticGraph } from "../onnx/graph.ts";
import { isBatchNorm } from "./live-batch-norm.ts";
import { replaceNodes } from "./replace-nodes.ts";
import { batchMoments } from "./rules/batch-norm.ts";
import { perChannel } from "./rules/channels.ts";

/**
 * A graph whose batch normalisation takes mean and population variance from the last rows of every batch, and applies them
 * to all rows: y = γ·(x − μ)/√(σ² + ε) + β. The first rows are then normalised as a deployed network does it, by what
 * other images say, but with the moments that belong to the weights of this very step. Gradients go through the
 * moments, too. Running statistics are not touched.
 * @param from first row that counts to the moments
 */
export function borrowedBatchNorm(graph: StaticGraph, from: number): StaticGraph {
  return replaceNodes(graph, "borrowed", isBatchNorm, (node, b) => {
    const [x, gamma, beta] = node.inputs.map((name) => b.value(name));
    const { mean, variance } = batchMoments(b, b.slice(x!, [0], [from], [x!.shape[0]!]));
    const epsilon = b.scalar(attribute(node, "epsilon", "float", 1e-5));
    const scale = b.div(gamma!, b.unary("Sqrt", b.add(variance, epsilon))); // [C]
    const shift = b.sub(beta!, b.mul(mean, scale)); // [C]
    const scaled = b.mul(x!, perChannel(b, scale, x!.shape.length));
    b.emit("Add", [scaled, perChannel(b, shift, x!.shape.length)], {}, [x!], [node.outputs[0]!]);
  });
}
