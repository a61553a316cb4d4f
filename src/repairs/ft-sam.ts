import { z } from "zod";
import { crossEntropy } from "../train/losses.ts";
import { sgd } from "../train/optimisers.ts";
import { cosine } from "../train/schedules.ts";
import { fineTune } from "./fine-tune.ts";
import { LEARNING_RATES, REINSERTED, tuningFields } from "./options.ts";
import type { Repair } from "./repair.ts";

const config = z.strictObject({
  ...tuningFields({
    ...{ steps: 300, learningRate: 0.01 },
    ...{ checkpointEvery: 50, batchNorm: "reinsert" },
  }),
  radius: z
    .number()
    .min(0)
    .default(2)
    .describe("ρ, how far the weights are moved uphill before the slope is taken"),
  labelSmoothing: z.number().min(0).lt(1).default(0.1).describe("label smoothing"),
});

/** Keeps ε finite where the loss is flat. */
const TINY = 1e-12;

/**
 * Fine-tuning with sharpness-aware minimisation: neurons that carry a backdoor have large weights, and a
 * perturbation in proportion to them shrinks these most. The slope is taken where the loss is worst nearby,
 *
 *     θ ← θ − η·∇L(θ + ε),  ε = ρ·θ²·g / ‖|θ|·g‖₂,  g = ∇L(θ),  L = CE(f(x), y) with smoothed labels
 */
export const ftSam: Repair<typeof config> = {
  name: "ft-sam",
  summary: "Fine-tunes towards flat minima, where backdoors do not last.",
  source: {
    paper: "Enhancing Fine-Tuning Based Backdoor Defense with Sharpness-Aware Minimization",
    authors: "Zhu, Wei, Shen, Fan & Wu",
    year: 2023,
    section: "4",
    deviations: [
      "The radius is fixed; the original's code adapts it.",
      "All trained tensors are perturbed, biases and batch norm too.",
      REINSERTED,
    ],
  },
  config,
  passes: 2,
  space: { learningRate: LEARNING_RATES, radius: [0.5, 1, 2, 4] },
  run(context, input, options) {
    const { momentum, weightDecay, labelSmoothing, radius } = options;
    return fineTune(context, input, {
      ...options,
      stage: "ft-sam",
      schedule: cosine(options.learningRate, options.steps),
      optimiser: sgd({ momentum, weightDecay }),
      loss: (b, { student, labels }) =>
        b.mean(crossEntropy(b, student.logits, labels, labelSmoothing)),
      lookAhead(b, weights) {
        const scaled = weights.map(({ weight, slope }) => b.mul(b.unary("Abs", weight), slope));
        const squares = scaled.map((s) => b.sumSquares(s)).reduce((sum, s) => b.add(sum, s));
        const length = b.unary("Sqrt", b.add(squares, b.scalar(TINY))); // ‖|θ|·g‖₂
        const step = b.div(b.scalar(radius), length);
        return new Map(
          weights.map(({ name, weight }, i) => {
            const uphill = b.mul(b.mul(b.unary("Abs", weight), scaled[i]!), step); // θ²·g·ρ/‖·‖
            return [name, b.add(weight, uphill)];
          }),
        );
      },
    });
  },
};
