import { liveBatchNorm } from "../autodiff/live-batch-norm.ts";
import type { Tensor } from "../core/tensor.ts";
import type { Weights } from "../models/classifier.ts";
import type { StaticGraph } from "../onnx/graph.ts";

/** A network as a step tunes it. */
export interface TunedNetwork {
  readonly network: StaticGraph;
  /** Running statistics of live batch norm, by name. */
  readonly statistics: Weights;
  /** Name of each statistic → tensor of the network that holds its next value. */
  readonly updates: ReadonlyMap<string, string>;
}

/** @param live whether batch norm works with the statistics of the batch, or with the running ones as they are */
export function tunedNetwork(network: StaticGraph, live: boolean): TunedNetwork {
  if (!live) return { network, statistics: new Map(), updates: new Map() };
  const { graph, running } = liveBatchNorm(network);
  const statistics = new Map(
    [...running.keys()].map((name) => [name, network.constants.get(name) as Tensor]),
  );
  return { network: graph, statistics, updates: running };
}
