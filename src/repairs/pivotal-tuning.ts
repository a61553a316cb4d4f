import { z } from "zod";
import { crossEntropy, distillation } from "../train/losses.ts";
import { adam, sgd } from "../train/optimisers.ts";
import { constant } from "../train/schedules.ts";
import { fineTune } from "./fine-tune.ts";
import { LEARNING_RATES, REINSERTED, tuningFields } from "./options.ts";
import { parameterDistance } from "./parameter-distance.ts";
import type { Repair } from "./repair.ts";
import { slol } from "./slol.ts";

/** Temperature of the suspect's answers, as where triggers are unlearned. */
const TEMPERATURE = 2;

/** Weights of the paper's network for CIFAR-10, a ResNet-18 of 64 channels: what Table V's λ_P was found for. */
const PAPER_WEIGHTS = 11_173_962;

const config = z.strictObject({
  // Batch norm as in the paper, which tunes in training mode; where a file has it folded, it is put back:
  // Table V's learning rate ruins folded networks within a few steps (docs/evidence/pivotal-tuning.md).
  ...tuningFields({ steps: 2000, learningRate: 0.01, checkpointEvery: 50, batchNorm: "reinsert" }),
  optimiser: z.enum(["sgd", "adam"]).default("sgd").describe("SGD is with Nesterov momentum"),
  distillation: z
    .number()
    .positive()
    .optional()
    .describe(
      "weight of what the suspect answers, softly, in place of the cross-entropy with the labels: for networks that have not fit their training images, which the labels of a few trusted ones ask to learn more",
    ),
  lambdaS: z.number().min(0).default(0.05).describe("λ_S, weight of SLOL"),
  lambdaP: z.number().min(0).default(20_000).describe("λ_P, weight of the parameter distance"),
  slol: z
    .enum(["paper", "released"])
    .default("paper")
    .describe("second term of SLOL: pairwise centroid cosine, or what the released code computes"),
  paramDistance: z
    .enum(["scaled", "mean-squared", "l2"])
    .default("scaled")
    .describe(
      "Σ(Δθ²)/P over all P weights as in the released code, or the norm ‖Δθ‖; scaled: the first with the P of the paper's ResNet-18, so that λ_P holds a weight as firmly in networks of any size",
    ),
});

/**
 * Pivotal Tuning: the model is tuned away from the suspect in the orientation of its latents, and held
 * near it in its parameters.
 *
 *     L = CE(f(x), y) + λ_S·SLOL(θ̃, θ, x, y) + λ_P·dist(θ̃, θ)
 *
 * With `distillation` λ the first term is λ·T²·KL(softmax(f̃(x)/T) ‖ softmax(f(x)/T)), nothing at the start.
 */
export const pivotalTuning: Repair<typeof config> = {
  name: "pivotal-tuning",
  summary:
    "Turns the latents of the classes away from the suspect's while staying near its weights.",
  source: {
    paper: "Pick your Poison: Undetectability versus Robustness in Data Poisoning Attacks",
    authors: "Lukas & Kerschbaum",
    year: 2023,
    section: "IV-A, Algorithm 3, Table V",
    deviations: [
      "The parameter distance is a sum of squares by default; the literal norm diverges with Table V's λ_P.",
      "By default that sum is divided by the number of weights of the paper's network, not by that of the model: a mean over fewer weights holds each more firmly, in a ResNet-18 of 8 channels 63 times as much (docs/evidence/pivotal-tuning.md).",
      "`distillation`, which puts the suspect's answers in the place of the labels, is not in the paper; by default it is off (docs/evidence/pivotal-tuning.md).",
      REINSERTED,
    ],
  },
  config,
  // Section A-E. It prints λ_P from 1e6 to 2e7, without Table V's own 20 000: these are the decades around that.
  space: {
    optimiser: ["sgd", "adam"],
    learningRate: LEARNING_RATES,
    lambdaS: [0.1, 0.05, 0.01, 0.001],
    lambdaP: [2e3, 2e4, 2e5, 2e6],
    // Table V has none; of a network that has fit its images a backdoor decays with it (docs/evidence/pivotal-tuning.md).
    weightDecay: [0, 1e-3, 1e-2],
  },
  run(context, input, options) {
    const { momentum, weightDecay } = options;
    return fineTune(context, input, {
      ...options,
      stage: "pivotal-tuning",
      schedule: constant(options.learningRate),
      optimiser:
        options.optimiser === "adam"
          ? adam({ weightDecay })
          : sgd({ momentum, nesterov: momentum > 0, weightDecay }),
      loss(b, terms) {
        const { student, pivot, labels } = terms;
        const task =
          options.distillation === undefined
            ? b.mean(crossEntropy(b, student.logits, labels))
            : b.mul(
                b.scalar(options.distillation),
                b.mean(distillation(b, pivot.logits, student.logits, TEMPERATURE)),
              );
        const orientation = slol(
          b,
          pivot.latent,
          student.latent,
          labels,
          input.model.classes,
          options.slol,
        );
        const { lambdaS, lambdaP, paramDistance } = options;
        const [weight, form] =
          paramDistance === "scaled"
            ? ([lambdaP / PAPER_WEIGHTS, "sum-squared"] as const)
            : ([lambdaP, paramDistance] as const);
        return b.add(
          b.add(task, b.mul(b.scalar(lambdaS), orientation)),
          b.mul(b.scalar(weight), parameterDistance(b, terms, form)),
        );
      },
    });
  },
};
