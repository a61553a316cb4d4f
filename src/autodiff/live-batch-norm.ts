import { AntidoteError } from "../core/errors.ts";
import { attribute, type Node, type StaticGraph } from "../onnx/graph.ts";
import { replaceNodes } from "./replace-nodes.ts";
import { batchMoments, entriesPerChannel } from "./rules/batch-norm.ts";

/** A graph whose batch normalisation uses, and updates, the statistics of each batch. */
export interface LiveGraph {
  readonly graph: StaticGraph;
  /** Name of every running mean and variance → name of the output that is its value after the batch. */
  readonly running: ReadonlyMap<string, string>;
}

/**
 * Puts every BatchNormalization of a graph in training mode, as PyTorch's `train()`: the batch is
 * normalised with its own mean and population variance, and running = m·running + (1 − m)·batch with
 * the unbiased variance n/(n − 1)·v (m is the node's momentum, 0.9 where PyTorch says 0.1). The updated
 * statistics become further outputs of the graph.
 *
 * @throws `INVALID_CONFIG` for a layer with one value per channel
 *
 * In the new nodes momentum is 0, so that their second and third outputs are the batch's own moments,
 * which the gradient uses too. Execute the finished graph through `lowerBatchNorm` only.
 */
export function liveBatchNorm(graph: StaticGraph): LiveGraph {
  const running = new Map<string, string>();
  const live = replaceNodes(graph, "live", isBatchNorm, (node, b) => {
    const [x, gamma, beta, mean, variance] = node.inputs.map((name) => b.value(name));
    const [batchMean, batchVariance] = ["mean", "variance"].map((of) => `${node.name}/batch-${of}`);
    const momentum = attribute(node, "momentum", "float", 0.9);
    const [, ofMean, ofVariance] = b.emit(
      "BatchNormalization",
      [x, gamma, beta, mean, variance],
      {
        epsilon: { float: attribute(node, "epsilon", "float", 1e-5) },
        momentum: { float: 0 },
        training_mode: 1,
      },
      [x!, mean!, variance!],
      [node.outputs[0]!, batchMean!, batchVariance!],
    );
    const n = entriesPerChannel(x!);
    if (n === 1) throw ofOne(node);
    const unbiased = b.mul(ofVariance!, b.scalar(n / (n - 1)));
    for (const [old, batch] of [
      [mean!, ofMean!],
      [variance!, unbiased],
    ] as const) {
      const before = running.get(old.name); // a layer that is used twice is updated twice
      const current = before ? b.input(before, old.type, old.shape) : old;
      const kept = b.mul(current, b.scalar(momentum));
      const updated = `${current.name}/updated`;
      b.emit("Add", [kept, b.mul(batch, b.scalar(1 - momentum))], {}, [old], [updated]);
      running.set(old.name, updated);
    }
  });
  return { graph: { ...live, outputs: [...live.outputs, ...running.values()] }, running };
}

/** As PyTorch: the unbiased variance divides by n − 1. */
function ofOne({ name }: Node): AntidoteError {
  return new AntidoteError(
    "INVALID_CONFIG",
    "A batch norm layer gets a single value of each channel, and of one there is no variance.",
    {
      place: name,
      next: "Take larger batches, or more --memory if batches are divided into parts.",
    },
  );
}

/**
 * Replaces the training-mode nodes of `liveBatchNorm` by moments and one per-channel affine, about as
 * fast. It is needed because ONNX Runtime (seen in 1.30, CPU) writes the node's second and third outputs
 * over its fourth and fifth inputs, even where these are constants or shared with other nodes.
 */
export function lowerBatchNorm(graph: StaticGraph): StaticGraph {
  const isLowered = (node: Node) =>
    isNormalisation(node) && trains(node) && attribute(node, "momentum", "float", 0.9) === 0;
  return replaceNodes(graph, "lowered", isLowered, (node, b) => {
    const [x, gamma, beta] = node.inputs.map((name) => b.value(name));
    const [y, meanName, varianceName] = node.outputs;
    const moments = batchMoments(b, x!);
    const mean = b.emit("Identity", [moments.mean], {}, [moments.mean], [meanName!])[0]!;
    const variance = b.emit("Identity", [moments.variance], {}, [mean], [varianceName!])[0]!;
    const epsilon = { float: attribute(node, "epsilon", "float", 1e-5) };
    b.emit("BatchNormalization", [x, gamma, beta, mean, variance], { epsilon }, [x!], [y!]);
  });
}

/** Whether a node normalises images by running statistics. One that is in training mode from the start standardises a weight. */
export function isBatchNorm(node: Node): boolean {
  return isNormalisation(node) && !trains(node);
}

function isNormalisation({ op, domain }: Node): boolean {
  return op === "BatchNormalization" && domain === "";
}

function trains(node: Node): boolean {
  return attribute(node, "training_mode", "int", 0) === 1;
}
