import { type FloatTensor, float32, type Tensor } from "../core/tensor.ts";
import { count, type ImageSet } from "../data/images.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import { consumers, type Graph, type Node, type StaticGraph, type Value } from "../onnx/graph.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Classifier, Weights } from "./classifier.ts";
import { allButChannels, observe } from "./observe.ts";

/** Variances below this are treated as this: a channel that never varies has no scale to restore. */
const EPSILON = 1e-5;

/** Names of the four tensors of the batch normalisation that follows a convolution. */
interface Names {
  readonly scale: string;
  readonly shift: string;
  readonly mean: string;
  readonly variance: string;
}

interface Site {
  readonly conv: Node;
  readonly names: Names;
}

/**
 * An exported network usually has its batch normalisation folded into the convolutions. Tuning works
 * better with it, so it is put back: y = γ·(x − μ)/√(σ² + ε) + β behind every convolution, with μ and
 * σ² measured on trusted images, γ = √(σ² + ε) and β = μ. At the start this is the identity. After
 * tuning it is folded again, so the user's graph keeps its form. A file does not tell whether a convolution's bias
 * is a batch norm that was folded, so networks that never had any get it as well.
 */
export class ReinsertedBatchNorm {
  readonly #sites: readonly Site[];
  /** γ and β of every convolution: what tuning changes. */
  readonly parameters: Weights;
  /** μ and σ² of every convolution: running statistics. */
  readonly statistics: Weights;

  private constructor(sites: readonly Site[], parameters: Weights, statistics: Weights) {
    this.#sites = sites;
    this.parameters = parameters;
    this.statistics = statistics;
  }

  /**
   * Measures the statistics of every convolution that has a bias of its own and no batch normalisation.
   * @param images trusted images; at least two, better hundreds
   */
  static async measure(
    context: RunContext,
    classifier: Classifier,
    images: ImageSet,
    batchSize = 100,
  ): Promise<ReinsertedBatchNorm> {
    const size = Math.min(batchSize, count(images));
    const network = await classifier.at(size);
    const sites = findSites(network, classifier);
    const parameters = new Map<string, Tensor>();
    const statistics = new Map<string, Tensor>();
    if (sites.length > 0) {
      const moments = await measureMoments(context, classifier, network, sites, images, size);
      for (const [i, { names }] of sites.entries()) {
        const { mean, variance } = moments[i]!;
        const scale = Float32Array.from(variance.data, (v) => Math.sqrt(v + EPSILON));
        parameters.set(names.scale, float32(mean.shape, scale));
        parameters.set(names.shift, mean);
        statistics.set(names.mean, mean);
        statistics.set(names.variance, variance);
      }
    }
    return new ReinsertedBatchNorm(sites, parameters, statistics);
  }

  /** The network with the normalisation in place, in evaluation form. */
  apply(network: StaticGraph): StaticGraph {
    const renamed = new Map(this.#sites.map(({ conv }) => [conv.outputs[0]!, conv]));
    const values = new Map(network.values);
    const constants = new Map(network.constants);
    for (const [name, tensor] of [...this.parameters, ...this.statistics]) {
      constants.set(name, tensor);
      values.set(name, { name, type: tensor.type, shape: tensor.shape });
    }
    const namesOf = new Map(this.#sites.map(({ conv, names }) => [conv, names]));
    const nodes = network.nodes.flatMap((node) => {
      const conv = renamed.get(node.outputs[0] ?? "");
      if (!conv) return [node];
      const output = node.outputs[0]!;
      const raw = `${output}/raw`;
      values.set(raw, { ...(network.values.get(output) as Value), name: raw });
      // A node without a name in its file is called after its output, which the normalisation makes now.
      const renamedNode = { ...node, name: raw, outputs: [raw] };
      return [renamedNode, normalisation(raw, output, namesOf.get(conv)!)];
    });
    return { ...network, nodes, constants, values };
  }

  /**
   * Folds tuned values back: W' = W·s and b' = (b − μ)·s + β per output channel, s = γ/√(σ² + ε).
   * @param tuned all trainable constants of the network, and the four tensors of every site
   * @returns values for the constants of the original network alone
   */
  fold(tuned: Weights): Weights {
    const folded = new Map(tuned);
    for (const { conv, names } of this.#sites) {
      const read = (name: string) => (tuned.get(name) as FloatTensor).data;
      const scale = read(names.scale);
      const shift = read(names.shift);
      const mean = read(names.mean);
      const variance = read(names.variance);
      const [, weightName, biasName] = conv.inputs as [string, string, string];
      const weight = tuned.get(weightName) as FloatTensor; // [K,C/groups,…]
      const bias = tuned.get(biasName) as FloatTensor; // [K]
      const s = scale.map((gamma, k) => gamma / Math.sqrt(variance[k]! + EPSILON)); // [K]
      const perChannel = weight.data.length / s.length;
      const w = weight.data.map((value, i) => value * s[Math.floor(i / perChannel)]!);
      const b = bias.data.map((value, k) => (value - mean[k]!) * s[k]! + shift[k]!);
      folded.set(weightName, float32(weight.shape, w));
      folded.set(biasName, float32(bias.shape, b));
      for (const name of Object.values(names)) folded.delete(name);
    }
    return folded;
  }
}

function findSites(network: Graph, classifier: Classifier): Site[] {
  const uses = consumers(network);
  const ownConstant = (name: string | undefined): boolean =>
    name !== undefined && network.constants.has(name) && uses.get(name)?.length === 1;
  return network.nodes.flatMap((conv) => {
    if (conv.op !== "Conv" || !ownConstant(conv.inputs[1]) || !ownConstant(conv.inputs[2]))
      return [];
    if (conv.inputs[1] === classifier.roles.head.weight) return [];
    const output = conv.outputs[0]!;
    if (uses.get(output)?.some((node) => node.op === "BatchNormalization")) return [];
    const names = {
      scale: `${output}/batch-norm/scale`,
      shift: `${output}/batch-norm/shift`,
      mean: `${output}/batch-norm/mean`,
      variance: `${output}/batch-norm/variance`,
    };
    return [{ conv, names }];
  });
}

function normalisation(input: string, output: string, names: Names): Node {
  return {
    op: "BatchNormalization",
    domain: "",
    name: `${output}/batch-norm`,
    inputs: [input, names.scale, names.shift, names.mean, names.variance],
    outputs: [output],
    attributes: new Map([["epsilon", { kind: "float", value: EPSILON }]]),
  };
}

/** Mean and variance of every channel of every site's output, over all full batches of images. */
async function measureMoments(
  context: RunContext,
  classifier: Classifier,
  network: StaticGraph,
  sites: readonly Site[],
  images: ImageSet,
  batchSize: number,
): Promise<{ mean: FloatTensor; variance: FloatTensor }[]> {
  const sums = sites.map(({ conv }) => {
    const width = (network.values.get(conv.outputs[0]!) as Value).shape[1]!;
    return { mean: new Float64Array(width), square: new Float64Array(width) };
  });
  const moments = (b: GraphBuilder, tensor: (name: string) => Value) => {
    for (const [i, { conv }] of sites.entries()) {
      const y = tensor(conv.outputs[0]!); // [B,K,…]
      const axes = allButChannels(y);
      const mean = b.mean(y, axes, true); // [1,K,…]
      const deviation = b.sub(y, mean);
      b.output(`mean/${i}`, b.reshape(mean, [y.shape[1]!]));
      b.output(`variance/${i}`, b.mean(b.mul(deviation, deviation), axes)); // [K]
    }
  };
  let full = 0;
  for await (const seen of observe(context, classifier, network, images, batchSize, moments)) {
    for (const [i, sum] of sums.entries()) {
      const mean = seen[`mean/${i}`]!.data as Float32Array;
      const variance = seen[`variance/${i}`]!.data as Float32Array;
      mean.forEach((m, k) => {
        sum.mean[k]! += m;
        sum.square[k]! += variance[k]! + m * m;
      });
    }
    full++;
  }
  return sums.map(({ mean, square }) => {
    const mu = Float32Array.from(mean, (total) => total / full);
    const variance = Float32Array.from(square, (total, k) =>
      Math.max(total / full - (mean[k]! / full) ** 2, 0),
    );
    return { mean: float32([mu.length], mu), variance: float32([mu.length], variance) };
  });
}
