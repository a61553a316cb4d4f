import { z } from "zod";
import { gradients } from "../autodiff/gradients.ts";
import type { Random } from "../core/random.ts";
import { type FloatTensor, float32, type Tensor } from "../core/tensor.ts";
import { augment } from "../data/augment.ts";
import { batchTensors, count } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import { batchFor } from "../models/memory.ts";
import { consumers, type StaticGraph, type Value } from "../onnx/graph.ts";
import type { RunContext } from "../runtime/context.ts";
import { crossEntropy } from "../train/losses.ts";
import { sgd } from "../train/optimisers.ts";
import { inParts } from "../train/parts.ts";
import { compileStep, type Step } from "../train/step.ts";
import { convolutions, withChannels } from "./channels.ts";
import { LEARNING_RATES } from "./options.ts";
import type { Checkpoint, Repair, RepairInput } from "./repair.ts";
import { notePartsOf, tuningSteps } from "./tuning-steps.ts";

/** Times that a step passes through the network: as it is, at a random change, and at the worst one. */
const PASSES = 3;

const config = z.strictObject({
  steps: z.int().min(1).default(300).describe("optimiser steps"),
  learningRate: z.number().positive().default(0.1).describe("learning rate of the masks"),
  momentum: z.number().min(0).lt(1).default(0.9).describe("momentum of SGD"),
  batchSize: z.int().min(2).default(128).describe("trusted images per step"),
  checkpointEvery: z.int().min(1).default(50).describe("steps between checkpoints"),
  augment: z.boolean().default(true).describe("random crop and flip of the trusted images"),
  budget: z
    .number()
    .positive()
    .default(0.4)
    .describe("ε, largest relative change of a channel's weights and bias"),
  clean: z
    .number()
    .min(0)
    .max(1)
    .default(0.2)
    .describe("α, weight of the loss without that change; 1 − α is that with it"),
  threshold: z
    .number()
    .gt(0)
    .max(1)
    .default(0.2)
    .describe("channels whose mask is below this are cut off"),
});

type Options = z.output<typeof config>;

/**
 * Adversarial Neuron Pruning: channels that carry a backdoor are those that a small change turns against trusted
 * images. Every channel gets a mask m in [0,1] and the worst relative change of its weights δ and bias ξ,
 *
 *     min_m  α·CE(f(x; m⊙w, b), y) + (1−α)·max_{|δ|,|ξ| ≤ ε} CE(f(x; (m+δ)⊙w, (1+ξ)⊙b), y)
 *
 * with one signed ascent step from a random start for the maximum; channels whose mask falls below the threshold are
 * cut off. The weights of a channel are those of its batch norm where that stands behind the convolution. Where a budget
 * of memory divides a step, every part has a worst change of its own.
 */
export const anp: Repair<typeof config> = {
  name: "anp",
  summary:
    "Cuts off the channels that a small change of their weights turns against trusted images.",
  source: {
    paper: "Adversarial Neuron Pruning Purifies Backdoored Deep Models",
    authors: "Wu & Wang",
    year: 2021,
    section: "4, Algorithm 1",
    deviations: [
      "Where batch norm was folded, masks act on the convolution's weights.",
      "Batch norm keeps its running statistics while masks are learned.",
      "Checkpoints are pruned by one threshold at several steps, instead of by several thresholds at the end.",
      "300 steps with rate 0.1 instead of 2000 with 0.2: ours start from 500 images.",
    ],
  },
  config,
  passes: PASSES,
  space: {
    learningRate: [...LEARNING_RATES, 0.2],
    budget: [0.2, 0.3, 0.4, 0.6],
    threshold: [0.1, 0.2, 0.3],
  },
  async *run(context, input, options): AsyncGenerator<Checkpoint> {
    const { model, trusted } = input;
    const { learningRate, budget, threshold } = options;
    const wanted = Math.min(options.batchSize, count(trusted));
    const { size, parts } = await batchFor(
      Array<Classifier>(PASSES).fill(model),
      wanted,
      context.memory,
    );
    notePartsOf(context, "anp", size, parts);
    const network = await model.at(size / parts);
    const channels = channelsOf(network, model);
    const step = await compileMasks(
      context,
      input,
      network,
      channels,
      size / parts,
      parts,
      options,
    );
    const pace = { ...options, stage: "anp", batchSize: size };
    try {
      const reached = tuningSteps(context, trusted, pace, {
        async take(indices, draws) {
          const { images, labels } = batchTensors(trusted, indices);
          const moved = options.augment
            ? augment(images.data, trusted, draws.fork("augment"))
            : images.data;
          const noise = noiseFor(channels, budget, draws.fork("noise"));
          const feeds = inParts({ images: float32(images.shape, moved), labels }, parts, noise);
          return (await step.runParts(feeds, learningRate, context.signal)).loss;
        },
        read: () => step.read(),
      });
      for await (const { step: at, loss, values } of reached) {
        yield { step: at, loss, model: pruned(model, channels, values, threshold) };
      }
    } finally {
      await step.release();
    }
  },
};

/** The constants of one layer's channels. */
interface Channels {
  readonly weight: string;
  readonly bias: string | undefined;
  readonly count: number;
}

/** The channels of every convolution: by its batch norm where that follows alone, else by its own weights. */
function channelsOf(network: StaticGraph, model: Classifier): Channels[] {
  const uses = consumers(network);
  return convolutions(network, model, "anp").map((conv) => {
    const [next, other] = uses.get(conv.outputs[0]!) ?? [];
    const isNormed = next?.op === "BatchNormalization" && other === undefined;
    const [, weight, bias] = (isNormed ? next : conv).inputs as [string, string, string?];
    const isTrained = bias !== undefined && bias !== "" && model.weights.has(bias);
    return { weight, bias: isTrained ? bias : undefined, count: model.constant(weight).shape[0]! };
  });
}

const mask = (layer: number) => `mask/${layer}`;

function compileMasks(
  { device }: RunContext,
  { model, trusted }: RepairInput,
  network: StaticGraph,
  channels: readonly Channels[],
  rows: number,
  parts: number,
  { momentum, clean, budget }: Options,
): Promise<Step> {
  const ones = (n: number) => float32([n], new Float32Array(n).fill(1));
  return compileStep(device, {
    parameters: new Map(channels.map(({ count }, layer) => [mask(layer), ones(count)])),
    optimiser: sgd({ momentum }),
    parts,
    build(b, at) {
      const shape = [rows, trusted.channels, trusted.height, trusted.width];
      const images = b.input("images", "float32", shape); // [N,C,H,W]
      const labels = b.input("labels", "int64", [rows]);
      /** The loss with every channel's weights times `factors` and its bias times `shifts`, [K] each. */
      const lossWith = (prefix: string, factors: readonly Value[], shifts?: readonly Value[]) => {
        const scaled: Record<string, Value> = {};
        for (const [layer, { weight, bias }] of channels.entries()) {
          const kernel = b.constant(model.constant(weight)); // [K,…]
          const [count, ...rest] = kernel.shape as [number, ...number[]];
          const factor = b.reshape(factors[layer]!, [count, ...rest.map(() => 1)]);
          scaled[weight] = b.mul(kernel, factor);
          if (bias && shifts)
            scaled[bias] = b.mul(b.constant(model.constant(bias)), shifts[layer]!);
        }
        const { logits } = model.append(b, network, images, prefix, scaled);
        return b.mean(crossEntropy(b, logits, labels));
      };
      const masks = channels.map((_, layer) => at(mask(layer)));
      const draw = (name: string) =>
        channels.map(({ count }, layer) => b.input(`${name}/${layer}`, "float32", [count]));
      const [delta, xi] = [draw("delta"), draw("xi")];
      const noisy = (prefix: string, d: readonly Value[], s: readonly Value[]) =>
        lossWith(
          prefix,
          masks.map((m, layer) => b.add(m, d[layer]!)),
          s.map((shift) => b.add(b.scalar(1), shift)),
        );
      const slopes = gradients(b, noisy("start/", delta, xi), [...delta, ...xi]);
      // One step of size ε along the sign, back into the ball.
      const worst = [...delta, ...xi].map((start, i) => {
        const moved = b.add(start, b.mul(b.unary("Sign", slopes[i]!), b.scalar(budget)));
        return b.clip(moved, -budget, budget);
      });
      const [d, s] = [worst.slice(0, channels.length), worst.slice(channels.length)];
      const natural = b.mul(b.scalar(clean), lossWith("clean/", masks));
      const adversarial = b.mul(b.scalar(1 - clean), noisy("worst/", d, s));
      return { loss: b.add(natural, adversarial) };
    },
    project: (b, _, updated) => b.clip(updated, 0, 1),
  });
}

/** A random start for the worst change of every layer. */
function noiseFor(
  channels: readonly Channels[],
  budget: number,
  random: Random,
): Record<string, FloatTensor> {
  const draw = (count: number) =>
    float32(
      [count],
      Float32Array.from({ length: count }, () => random.uniform(-budget, budget)),
    );
  return Object.fromEntries(
    channels.flatMap(({ count }, layer) => [
      [`delta/${layer}`, draw(count)],
      [`xi/${layer}`, draw(count)],
    ]),
  );
}

/** The model without the channels whose mask is below the threshold. */
function pruned(
  model: Classifier,
  channels: readonly Channels[],
  masks: ReadonlyMap<string, Tensor>,
  threshold: number,
): Classifier {
  const factors = new Map<string, Float32Array>();
  for (const [layer, { weight }] of channels.entries()) {
    const { data } = masks.get(mask(layer)) as FloatTensor;
    const kept = data.map((value) => (value < threshold ? 0 : 1));
    // What the masks were learned on: the bias stays.
    factors.set(weight, kept);
  }
  return withChannels(model, factors);
}
