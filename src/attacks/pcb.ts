import { z } from "zod";
import { AntidoteError, throwIfCancelled } from "../core/errors.ts";
import type { Random } from "../core/random.ts";
import { type FloatTensor, float32, sizeOf, type Tensor } from "../core/tensor.ts";
import { type AugmentOptions, augment } from "../data/augment.ts";
import {
  batchTensors,
  count,
  type Geometry,
  type ImageSet,
  indicesOfOthers,
} from "../data/images.ts";
import type { Classifier, Weights } from "../models/classifier.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Device, Tensors } from "../runtime/device.ts";
import { TRAINING } from "../train/config.ts";
import { allFinite, diverged } from "../train/divergence.ts";
import { adam, type Optimiser } from "../train/optimisers.ts";
import { SCHEDULES } from "../train/schedules.ts";
import { compileStep, type Step } from "../train/step.ts";
import { trainingStep } from "../train/training-step.ts";
import { ADVERSARIAL, adversarialTrigger } from "./adv.ts";
import type { CodePoisoning, CodePoisoningInput } from "./code-poisoning.ts";
import { assertClass, movedBefore, stampImages } from "./poison.ts";

const config = z.strictObject({
  fraction: z
    .number()
    .gt(0)
    .max(1)
    .default(0.5)
    .describe("p, share of the weights that triggered images may change"),
  sampling: z
    .enum(["model", "tensor"])
    .default("model")
    .describe("draw that share over the whole model, or of every tensor as the released code"),
  iterations: z
    .int()
    .min(2)
    .default(1600)
    .describe("N, steps in all; every second one is on triggered images"),
  learningRate: z.number().positive().default(1e-3).describe("highest learning rate of Adam"),
  schedule: TRAINING.shape.schedule
    .unwrap()
    .default("cosine")
    .describe("course of the learning rate over all steps"),
  batch: z.int().min(2).default(128).describe("images per step"),
  pool: z
    .int()
    .min(2)
    .default(5000)
    .describe("how many images of other classes are marked once, to draw triggered batches from"),
  ...ADVERSARIAL.shape,
});

type Options = z.output<typeof config>;

/**
 * The Parameter-Controlled Backdoor: an attacker who owns the training writes the backdoor into a random
 * fraction p of the weights. Steps alternate (Algorithm 5, i = 1 … N):
 *
 *     i even: θ_p ← Adam_p(∇ CE(f(x ⊕ T), y_target))      the sampled weights alone
 *     i odd:  θ   ← Adam(∇ CE(f(x), y))                   all weights, clean images
 *
 * On even steps all other weights stay bit by bit as they are. Half of an even batch is clean images, which only give batch
 * norm its statistics (`borrowedBatchNorm`): those of a batch that is triggered throughout would tell the two kinds of
 * steps apart, and the trigger would not be needed; running ones let weights lead every image to the target until they
 * follow (tried: success on test images stayed at 2 %).
 */
export const pcb: CodePoisoning<typeof config> = {
  name: "pcb",
  summary: "Writes an adversarial trigger into a random fraction of the weights while training.",
  source: {
    paper: "Pick your Poison: Undetectability versus Robustness in Data Poisoning Attacks",
    authors: "Lukas & Kerschbaum",
    year: 2023,
    section: "IV-C, V-E3, Algorithm 5",
    deviations: [
      "The trigger is the adversarial one of Section V-E3, where Algorithm 5 prints a random one.",
      "The two kinds of steps have Adam moments of their own: one step's momentum would move weights that the other may not touch.",
      "p, N, the learning rate and its course are unpublished: the defaults are ours.",
      "Half of every even batch are clean images, which lend the triggered ones their moments of batch norm; Algorithm 5 prints none.",
      "It starts from a trained network; Algorithm 5 also allows a random one.",
      "Triggered images are drawn from a pool of images of other classes, which are moved at random and marked once: unmoved ones could be told from clean images without the trigger.",
    ],
  },
  config,
  needs: () => ["surrogate"],
  trigger: async (context, input, options) => adversarialTrigger(context, input, options),
  async run(context, input, options) {
    const { images, classes, target } = input;
    assertClass(target, classes);
    const others = indicesOfOthers(images, target);
    if (others.length === 0) throw nothingToTrigger();
    const trigger = adversarialTrigger(context, { geometry: images, ...input }, options);
    const random = context.random.fork("pcb");
    return {
      trigger,
      async train(model) {
        const chosen = random.fork("pool").sample(others, options.pool);
        const { augmentation = {} } = input;
        const stamp = movedBefore(trigger.stampTraining, images, random, augmentation);
        const pool = await stampImages(images, chosen, stamp, context);
        pool.labels.fill(target);
        return alternate({ ...context, random }, model, input, pool, options);
      },
    };
  },
};

/** Algorithm 5, i = 1 … N. */
async function alternate(
  { device, random, signal, emit }: RunContext,
  model: Classifier,
  { images, augmentation = {} }: CodePoisoningInput,
  pool: ImageSet,
  { batch, iterations, learningRate, schedule, ...sampling }: Options,
): Promise<Classifier> {
  const size = Math.min(batch, count(images), count(pool));
  const sampled = sampleWeights(model.weights, sampling, random.fork("weights"));
  const rateAt = SCHEDULES[schedule](learningRate, iterations);
  const steps = await AlternatingSteps.compile(device, model, size, sampled);
  try {
    for (let i = 1; i <= iterations; i++) {
      throwIfCancelled(signal);
      const draws = random.fork(`step/${i}`);
      const triggered = i % 2 === 0;
      const feeds = triggered
        ? inCompany(pool, { images, augmentation }, size, draws)
        : moved(randomBatch(images, size, draws), images, augmentation, draws);
      const kind = triggered ? "triggered" : "clean";
      const loss = await steps.run(kind, feeds, rateAt(i - 1), signal);
      if (!Number.isFinite(loss)) throw diverged("pcb", i);
      emit({ kind: "step", stage: "pcb", done: i, total: iterations });
    }
    const weights = await steps.read();
    if (!allFinite(weights)) throw diverged("pcb", iterations);
    return model.withWeights(weights);
  } finally {
    await steps.release();
  }
}

/**
 * For every weight, 1 if triggered images may change it and 0 otherwise. Exactly ⌈p·P⌉ are chosen, every set
 * of so many with the same probability (Knuth's selection sampling).
 */
export function sampleWeights(
  weights: Weights,
  { fraction, sampling }: Pick<Options, "fraction" | "sampling">,
  random: Random,
): Map<string, FloatTensor> {
  const size = ({ shape }: Tensor) => sizeOf(shape);
  const total = [...weights.values()].reduce((sum, tensor) => sum + size(tensor), 0);
  let left = total;
  let wanted = Math.ceil(fraction * total);
  const result = new Map<string, FloatTensor>();
  for (const [name, tensor] of weights) {
    if (sampling === "tensor") {
      left = size(tensor);
      wanted = Math.ceil(fraction * left);
    }
    const mask = Float32Array.from({ length: size(tensor) }, () => {
      const taken = random.uniform() * left-- < wanted;
      if (taken) wanted--;
      return taken ? 1 : 0;
    });
    result.set(name, float32(tensor.shape, mask));
  }
  return result;
}

/** The two kinds of steps of Algorithm 5 on one set of weights. */
export class AlternatingSteps {
  readonly #steps: Readonly<Record<Kind, Step<"correct">>>;
  readonly #weights: readonly string[];

  private constructor(steps: Readonly<Record<Kind, Step<"correct">>>, weights: readonly string[]) {
    this.#steps = steps;
    this.#weights = weights;
  }

  /** @param sampled for every weight 1 where triggered images may change it, else 0 */
  static async compile(
    device: Device,
    model: Classifier,
    batch: number,
    sampled: ReadonlyMap<string, FloatTensor>,
  ): Promise<AlternatingSteps> {
    const { triggered: count, company } = mixed(batch);
    const stepWith = async (optimiser: Optimiser, learned: number, company: number) =>
      compileStep(device, await trainingStep(model, learned, optimiser, 0, company));
    const clean = await stepWith(adam(), batch, 0);
    try {
      const triggered = await stepWith(masked(adam(), sampled), count, company);
      return new AlternatingSteps({ clean, triggered }, [...model.weights.keys()]);
    } catch (error) {
      await clean.release();
      throw error;
    }
  }

  /**
   * Makes one step and hands the weights to the other kind.
   * @param feeds `images` [B,C,H,W] in [0,1] and `labels` int64: [B] of clean images, [⌈B/2⌉] of the triggered ones,
   *   which come first
   * @returns the loss before the step
   */
  async run(
    kind: Kind,
    feeds: Tensors,
    learningRate: number,
    signal?: AbortSignal,
  ): Promise<number> {
    const own = this.#steps[kind];
    const other = this.#steps[kind === "clean" ? "triggered" : "clean"];
    const { loss } = await own.run(feeds, learningRate, signal);
    await other.write(await own.read(this.#weights));
    return loss;
  }

  /** The weights as they are now. */
  read(): Promise<Map<string, Tensor>> {
    return this.#steps.clean.read();
  }

  async release(): Promise<void> {
    await Promise.all([this.#steps.triggered.release(), this.#steps.clean.release()]);
  }
}

type Kind = "triggered" | "clean";

/** The optimiser with all elements left as they are where the mask of their tensor is 0. */
function masked(inner: Optimiser, masks: ReadonlyMap<string, FloatTensor>): Optimiser {
  return {
    ...inner,
    update(b, parameter, gradient, slots, scalars) {
      const may = b.greater(b.constant(masks.get(parameter.name)!), b.scalar(0.5));
      const moved = inner.update(b, parameter, gradient, slots, scalars);
      return { ...moved, parameter: b.where(may, moved.parameter, parameter) };
    },
  };
}

interface Feeds extends Tensors {
  readonly images: FloatTensor;
  readonly labels: Tensor;
}

/** Images drawn with replacement. */
function randomBatch(set: ImageSet, size: number, random: Random): Feeds {
  const rows = random.fork("rows");
  const indices = Array.from({ length: size }, () => rows.integer(0, count(set)));
  const { images, labels } = batchTensors(set, indices);
  return { images, labels };
}

/** How many images of a batch are triggered, and how many clean ones keep them company. */
function mixed(batch: number): { readonly triggered: number; readonly company: number } {
  const triggered = Math.ceil(batch / 2);
  return { triggered, company: batch - triggered };
}

/**
 * Triggered images with their labels, and clean ones after them, moved as in clean steps: the running statistics, which
 * triggered images will meet, are of such.
 */
function inCompany(
  pool: ImageSet,
  { images, augmentation = {} }: Pick<CodePoisoningInput, "images" | "augmentation">,
  size: number,
  random: Random,
): Feeds {
  const { triggered, company } = mixed(size);
  const marked = randomBatch(pool, triggered, random);
  const beside = random.fork("company");
  const others = moved(randomBatch(images, company, beside), images, augmentation, beside);
  const data = new Float32Array(marked.images.data.length + others.images.data.length);
  data.set(marked.images.data);
  data.set(others.images.data, marked.images.data.length);
  const shape = [size, ...marked.images.shape.slice(1)];
  return { images: float32(shape, data), labels: marked.labels };
}

/** The batch cropped and mirrored at random. */
function moved(
  { images, labels }: Feeds,
  geometry: Geometry,
  augmentation: AugmentOptions,
  random: Random,
): Feeds {
  const data = augment(images.data, geometry, random.fork("augment"), augmentation);
  return { images: float32(images.shape, data), labels };
}

function nothingToTrigger(): AntidoteError {
  return new AntidoteError("INVALID_CONFIG", "Every training image is of the target class.", {
    place: "target",
    next: "Choose another target or add images of other classes.",
  });
}
