import { z } from "zod";
import type { FloatTensor } from "../core/tensor.ts";
import { ascending, count, type ImageSet, subset } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import { allButChannels, observe } from "../models/observe.ts";
import { consumers, type Node, type StaticGraph } from "../onnx/graph.ts";
import type { RunContext } from "../runtime/context.ts";
import { convolutions, perChannel, withChannels } from "./channels.ts";
import { fineTune } from "./fine-tune.ts";
import { LEARNING_RATES, REINSERTED, tuningFields } from "./options.ts";
import { plainTuning } from "./plain-tuning.ts";
import type { Repair } from "./repair.ts";

const config = z.strictObject({
  ...tuningFields({
    ...{ steps: 1000, learningRate: 0.001 },
    ...{ checkpointEvery: 50, batchNorm: "reinsert" },
  }),
  pruned: z
    .number()
    .min(0)
    .lt(1)
    .default(0.96)
    .describe("ρ, share of a layer's channels that are pruned: those that are least active"),
  layers: z
    .enum(["last", "all"])
    .default("last")
    .describe("prune the last convolution as the original method, or every one as the paper says"),
  batches: z
    .int()
    .min(1)
    .default(10)
    .describe("batches of trusted images to measure the activity on"),
});

type Options = z.output<typeof config>;

/**
 * Fine-Pruning: channels that trusted images leave quiet may be what a trigger speaks through. Those with
 * the lowest mean absolute activation are cut off for good, and the rest is fine-tuned. Batch norm behind a pruned
 * convolution may still give its channels a constant, which no image changes:
 *
 *     a_k = mean over images and positions of |F_k|,  W_k ← 0 for the ⌊ρ·K⌋ lowest a_k,  L = CE(f(x), y)
 */
export const finePruning: Repair<typeof config> = {
  name: "fine-pruning",
  summary: "Cuts off channels that trusted images leave quiet, then fine-tunes.",
  source: {
    paper: "Fine-Pruning: Defending Against Backdooring Attacks on Deep Neural Networks",
    authors: "Liu, Dolan-Gavitt & Garg",
    year: 2018,
    section: "Pick your Poison, Table V",
    deviations: [
      "The last convolution alone is pruned by default; --repair.layers all prunes every one, which ruins most networks at ρ = 96 %.",
      "The activity of a channel is measured behind its batch norm and nonlinearity, and its convolution's bias is pruned with its weights.",
      "The released code of Pick your Poison measures a layer's input, prunes its output and never tunes; here the channels measured are those pruned.",
      REINSERTED,
    ],
  },
  config,
  space: { learningRate: LEARNING_RATES, pruned: [0.5, 0.7, 0.8, 0.9, 0.96, 0.99] },
  async *run(context, input, options) {
    const { model, masks } = await prune(context, input.model, input.trusted, options);
    yield* fineTune(
      context,
      { ...input, model },
      {
        ...options,
        stage: "fine-pruning",
        ...plainTuning(options),
        project(b, name, updated) {
          const mask = masks.get(name);
          return mask ? b.mul(updated, b.constant(mask)) : updated;
        },
      },
    );
  },
};

interface Pruned {
  readonly model: Classifier;
  /** For every pruned constant, 0 where it is cut off and 1 elsewhere. */
  readonly masks: ReadonlyMap<string, FloatTensor>;
}

async function prune(
  context: RunContext,
  model: Classifier,
  trusted: ImageSet,
  { batchSize, batches, layers, pruned }: Options,
): Promise<Pruned> {
  const size = Math.min(batchSize, count(trusted));
  const network = await model.at(size);
  const all = convolutions(network, model, "fine-pruning");
  const chosen = layers === "last" ? all.slice(-1) : all;
  const shown = subset(trusted, rowsOf(trusted, size, batches, context));
  const activity = await meanActivity(context, model, network, chosen, shown, size);
  const kept = new Map<string, Float32Array>();
  chosen.forEach((conv, i) => {
    const [, weight, bias] = conv.inputs;
    for (const name of [weight, bias]) {
      if (name && model.weights.has(name)) kept.set(name, keptChannels(activity[i]!, pruned));
    }
  });
  const masks = Array.from(kept, ([name, values]): [string, FloatTensor] => [
    name,
    perChannel(model.constant(name).shape, values),
  ]);
  return { model: withChannels(model, kept), masks: new Map(masks) };
}

/** As many full batches as there are to see, drawn anew where the trusted images are fewer. */
function rowsOf(
  trusted: ImageSet,
  size: number,
  batches: number,
  { random }: RunContext,
): number[] {
  const draws = random.fork("fine-pruning/images");
  const rounds = Math.ceil((size * batches) / count(trusted));
  const rows = Array.from({ length: rounds }, () => draws.shuffle(ascending(count(trusted))));
  return rows.flat().slice(0, size * batches);
}

/** For every convolution the mean absolute activation of its channels, [K] each. */
async function meanActivity(
  context: RunContext,
  model: Classifier,
  network: StaticGraph,
  layers: readonly Node[],
  images: ImageSet,
  size: number,
): Promise<Float64Array[]> {
  const uses = consumers(network);
  const sums: Float64Array[] = [];
  const seen = observe(context, model, network, images, size, (b, tensor) => {
    for (const [i, conv] of layers.entries()) {
      const y = tensor(activationOf(conv, uses)); // [B,K,…]
      b.output(`activity/${i}`, b.mean(b.unary("Abs", y), allButChannels(y))); // [K]
      sums.push(new Float64Array(y.shape[1]!));
    }
  });
  for await (const results of seen) {
    for (const [i, sum] of sums.entries()) {
      const activity = results[`activity/${i}`]!.data as Float32Array;
      activity.forEach((value, k) => {
        sum[k]! += value;
      });
    }
  }
  return sums;
}

/** Operators that act on every channel of a convolution alone. */
const OWN = new Set(["BatchNormalization", "Relu", "LeakyRelu", "Clip", "Sigmoid", "Elu", "PRelu"]);

/** Name of the tensor behind a convolution's batch norm and nonlinearity. */
function activationOf(conv: Node, uses: ReadonlyMap<string, readonly Node[]>): string {
  let name = conv.outputs[0]!;
  for (;;) {
    const next = uses.get(name) ?? [];
    const [only] = next;
    if (next.length !== 1 || !only || !OWN.has(only.op) || only.inputs[0] !== name) return name;
    name = only.outputs[0]!;
  }
}

/** 1 for channels that stay, 0 for the ⌊ρ·K⌋ least active; the first of equals goes first. */
function keptChannels(activity: Float64Array, share: number): Float32Array {
  const order = [...activity.keys()].sort((a, b) => activity[a]! - activity[b]! || a - b);
  const kept = new Float32Array(activity.length).fill(1);
  for (const k of order.slice(0, Math.floor(share * activity.length))) kept[k] = 0;
  return kept;
}
