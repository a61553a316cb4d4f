import { z } from "zod";
import { fineTune } from "./fine-tune.ts";
import { LEARNING_RATES, REINSERTED, tuningFields } from "./options.ts";
import { plainTuning } from "./plain-tuning.ts";
import type { Repair } from "./repair.ts";

const config = z.strictObject(
  tuningFields({
    ...{ steps: 1000, learningRate: 0.001, weightDecay: 0.01 },
    ...{ checkpointEvery: 50, batchNorm: "reinsert" },
  }),
);

/**
 * Fine-tuning on trusted images with an L2 penalty:
 *
 *     L = CE(f(x), y) + (λ/2)·‖θ‖²
 */
export const weightDecay: Repair<typeof config> = {
  name: "weight-decay",
  summary: "Fine-tunes on trusted images with an L2 penalty on all weights.",
  source: {
    paper: "Pick your Poison: Undetectability versus Robustness in Data Poisoning Attacks",
    authors: "Lukas & Kerschbaum",
    year: 2023,
    section: "V-D, Table V",
    deviations: [
      "The released code takes the penalty's weight for the learning rate, too, and Nesterov's momentum.",
      REINSERTED,
    ],
  },
  config,
  space: { learningRate: LEARNING_RATES, weightDecay: [1e-2, 1e-3, 1e-4, 1e-5] },
  run: (context, input, options) =>
    fineTune(context, input, { ...options, stage: "weight-decay", ...plainTuning(options) }),
};
