import { throwIfCancelled } from "../core/errors.ts";
import type { Random } from "../core/random.ts";
import { type FloatTensor, float32 } from "../core/tensor.ts";
import { ascending, batchTensors, count, type ImageSet } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { Value } from "../onnx/graph.ts";
import type { RunContext } from "../runtime/context.ts";
import { adam } from "../train/optimisers.ts";
import { compileStep, type Step } from "../train/step.ts";
import { strongest } from "./size-control.ts";
import type { TriggerFamily } from "./trigger-family.ts";

/** How hard to search. */
export interface TournamentPlan {
  readonly family: TriggerFamily;
  /** Largest size of a trigger, as its family measures it. */
  readonly budget: number;
  /** Weight of the size at the start; it adapts so that the budget is kept. */
  readonly weight: number;
  readonly steps: number;
  /** Images per trigger and step. */
  readonly images: number;
  readonly learningRate: number;
  /** Into how many groups the classes are divided, each with one trigger. */
  readonly groups: number;
  /** How many groups share a step; they do not influence each other. */
  readonly groupsPerStep: number;
}

/** Adam's decay rates, as for the search of single classes. */
const BETAS = { beta1: 0.5, beta2: 0.9 };
/** Factor by which the weight of the size adapts at every step. */
const FACTOR = 1.3;
/** Share of the steps at the end that scores are averaged over. */
const JUDGED = 0.25;
/** Takes a class out of a sum of exponentials. */
const FAR = 1e4;

/** What one trigger of a tournament does. */
export interface SharedTrigger {
  /** The class of its group that it moves images into most. */
  readonly winner: number;
  /** Mean over images x not of class c of log p_c(x ⊕ T), in nats, for all classes, also those outside its group: [K]. */
  readonly likelihoods: Float32Array;
}

/**
 * Lets classes compete for triggers, at a cost that does not grow with their number. The classes are divided at random
 * into groups G; for each group one trigger of bounded size is searched that moves all images into *some* class of
 * the group, whichever gives way first:
 *
 *     min_T  −log Σ_{c∈G} exp(−(ℓ_c(T) − a·ℓ_c(0))) ,   ℓ_c(T) = mean of CE(f(x⊕T), c) over x not of class c,
 *
 * with a falling from 1 to 0: at the start all classes of a group are level, whatever their prior, and the
 * gradient belongs to those whose loss falls fastest; at the end it belongs to the class into which most images move.
 * The target of a backdoor needs less of a trigger than any other class, so it is among the first to give way.
 * @param images trusted images
 * @param plain log p(x) of these images as they are, in nats: [N,K] row after row
 * @returns the trigger of every group
 */
export async function classTournament(
  context: RunContext,
  model: Classifier,
  images: ImageSet,
  plain: Float32Array,
  plan: TournamentPlan,
  stage: string,
): Promise<SharedTrigger[]> {
  const { classes } = model;
  const random = context.random.fork(`tournament/${plan.family.name}`);
  const order = random.fork("groups").shuffle(ascending(classes));
  const groups = Math.min(plan.groups, classes);
  const rounds = Math.ceil(groups / plan.groupsPerStep);
  const width = Math.ceil(groups / rounds);
  const step = await compileTournament(context, model, images, width, plan);
  const found: SharedTrigger[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const first = round * width;
      const raised = await playRound(context, step, plan, {
        ...{ images, plain, width, random: random.fork(`round/${round}`) },
        competing: groupMask(order, groups, first, width),
        progress: (i) => {
          const done = round * plan.steps + i;
          context.emit({ kind: "step", stage, done, total: rounds * plan.steps });
        },
      });
      raised.slice(0, groups - first).forEach((likelihoods, m) => {
        const members = order.filter((_, place) => place % groups === first + m);
        const winner = members.reduce((a, b) => (likelihoods[b]! > likelihoods[a]! ? b : a));
        found.push({ winner, likelihoods });
      });
    }
    return found;
  } finally {
    await step.release();
  }
}

/** The triggers that share their steps. */
interface Round {
  readonly images: ImageSet;
  /** log p(x) of the images, [N,K]. */
  readonly plain: Float32Array;
  readonly width: number;
  /** 0 where a class is in the group of a trigger, −FAR elsewhere: [M,K]. */
  readonly competing: FloatTensor;
  readonly random: Random;
  readonly progress: (done: number) => void;
}

/** Searches the triggers of a round. @returns the likelihoods of all classes under each of them, [K] */
async function playRound(
  { signal }: RunContext,
  step: TournamentStep,
  { family, budget, weight, steps, images: each, learningRate }: TournamentPlan,
  { images, plain, width, competing, random, progress }: Round,
): Promise<Float32Array[]> {
  const rows = width * each;
  const classes = plain.length / count(images);
  await step.write(family.start(width, images, random));
  await step.resetOptimiser();
  const control = strongest(budget, { weight, factor: FACTOR });
  const adaptations = ascending(width).map(() => control.adaptation());
  const weights = new Float32Array(width).fill(weight);
  const sums = ascending(width).map(() => new Float32Array(classes));
  const judged = Math.max(1, Math.round(JUDGED * steps));
  for (let i = 0; i < steps; i++) {
    throwIfCancelled(signal);
    const indices = ascending(rows).map(() => random.integer(0, count(images)));
    const { images: x, labels } = batchTensors(images, indices);
    const known = new Float32Array(rows * classes); // [M·b,K]
    indices.forEach((index, row) => {
      known.set(plain.subarray(index * classes, (index + 1) * classes), row * classes);
    });
    const { metrics } = await step.run(
      {
        ...{ images: x, labels, competing, plain: float32([rows, classes], known) },
        level: float32([], [steps === 1 ? 1 : 1 - i / (steps - 1)]), // a
        weights: float32([width], weights.slice()),
      },
      learningRate,
      signal,
    );
    const sizes = metrics.size.data as Float32Array;
    adaptations.forEach((adapt, m) => {
      weights[m] = adapt(weights[m]!, { success: 0, average: 0, size: sizes[m]! });
    });
    if (i >= steps - judged) {
      (metrics.likelihoods.data as Float32Array).forEach((value, at) => {
        sums[Math.floor(at / classes)]![at % classes]! += value / judged;
      });
    }
    progress(i + 1);
  }
  return sums;
}

type TournamentStep = Step<"likelihoods" | "size">;

async function compileTournament(
  context: RunContext,
  model: Classifier,
  images: ImageSet,
  width: number,
  { family, images: each }: TournamentPlan,
): Promise<TournamentStep> {
  const { channels, height, width: columns } = images;
  const { classes } = model;
  const rows = width * each;
  const blocks = [width, each, channels, height, columns];
  const network = await model.at(rows);
  return compileStep(context.device, {
    parameters: family.start(width, images, context.random.fork("tournament/shape")),
    optimiser: adam(BETAS),
    build(b, at) {
      const x = b.input("images", "float32", [rows, channels, height, columns]);
      const labels = b.input("labels", "int64", [rows]);
      const competing = b.input("competing", "float32", [width, classes]); // 0, or −FAR
      const level = b.input("level", "float32", []); // a
      const weights = b.input("weights", "float32", [width]);
      const stamped = b.reshape(family.apply(b, at, b.reshape(x, blocks)), x.shape);
      // Images of class c say nothing about moving others into it.
      const counted = b.sub(b.scalar(1), b.oneHot(labels, classes)); // [M·b,K]
      const likelihoods = (logp: Value) => meanPerTrigger(b, logp, counted, [width, each, classes]);
      const { logits } = model.append(b, network, stamped, "model/"); // [M·b,K]
      const before = likelihoods(b.input("plain", "float32", [rows, classes])); // −ℓ_c(0), [M,K]
      const after = likelihoods(b.logSoftmax(logits)); // −ℓ_c(T), [M,K]
      // −(ℓ_c(T) − a·ℓ_c(0)) where c competes
      const scores = b.add(b.sub(after, b.mul(before, level)), competing);
      const size = family.size(b, at); // [M]
      const loss = b.sub(b.sum(b.mul(weights, size)), b.sum(logSumExp(b, scores)));
      return { loss, metrics: { likelihoods: after, size } };
    },
    ...(family.project ? { project: family.project } : {}),
  });
}

/** Means over the counted rows of every block: [M·b,K], weights 0 or 1 of the same shape → [M,K]. */
function meanPerTrigger(
  b: GraphBuilder,
  values: Value,
  counted: Value,
  blocks: readonly [number, number, number],
): Value {
  const total = b.sum(b.reshape(b.mul(values, counted), blocks), [1]);
  const rows = b.max(b.sum(b.reshape(counted, blocks), [1]), b.scalar(1));
  return b.div(total, rows);
}

/** log Σ_k exp(v_k) of every row: [M,K] → [M]. */
function logSumExp(b: GraphBuilder, values: Value): Value {
  const [rows] = values.shape as [number, number];
  return b.op(
    "ReduceLogSumExp",
    [values, b.ints([1])],
    { keepdims: 0 },
    { type: "float32", shape: [rows] },
  );
}

/** 0 where a class is in the group, −FAR elsewhere; groups beyond the last repeat the first ones. [M,K] */
function groupMask(order: readonly number[], groups: number, first: number, width: number) {
  const mask = new Float32Array(width * order.length).fill(-FAR);
  order.forEach((c, place) => {
    for (let m = 0; m < width; m++) {
      if (place % groups === (first + m) % groups) mask[m * order.length + c] = 0;
    }
  });
  return float32([width, order.length], mask);
}
