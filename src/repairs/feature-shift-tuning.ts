import { z } from "zod";
import { float32 } from "../core/tensor.ts";
import type { Classifier, Weights } from "../models/classifier.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { Value } from "../onnx/graph.ts";
import type { RunContext } from "../runtime/context.ts";
import { crossEntropy, distillation } from "../train/losses.ts";
import { sgd } from "../train/optimisers.ts";
import { cosine } from "../train/schedules.ts";
import { fineTune } from "./fine-tune.ts";
import { LEARNING_RATES, REINSERTED, tuningFields } from "./options.ts";
import type { Repair } from "./repair.ts";

const config = z.strictObject({
  ...tuningFields({ steps: 100, learningRate: 0.01, checkpointEvery: 25, batchNorm: "reinsert" }),
  alpha: z
    .number()
    .min(0)
    .default(0.1)
    .describe("weight of ⟨W, W̃⟩, which turns the head away from the suspect's"),
  freshHead: z.boolean().default(true).describe("start from a newly drawn last linear layer"),
  distillation: z
    .number()
    .min(0)
    .default(1)
    .describe("weight of the distillation from the suspect on clean images; 0 turns it off"),
  temperature: z.number().positive().default(2).describe("temperature of the distillation"),
});

/**
 * Feature Shift Tuning: the head is drawn anew and pushed away from the suspect's, so that features
 * have to shift with it; its norm is restored after every step. Distillation from the suspect on clean
 * images holds the accuracy.
 *
 *     L = CE(f(x), y) + α·⟨W, W̃⟩ + λ·T²·KL(softmax(f̃(x)/T) ‖ softmax(f(x)/T)),  ‖W‖ = ‖W̃‖
 */
export const featureShiftTuning: Repair<typeof config> = {
  name: "feature-shift-tuning",
  summary:
    "Moves the features away from the suspect's by a fresh head, holding accuracy by distillation.",
  source: {
    paper: "Towards Stable Backdoor Purification through Feature Shift Tuning",
    authors: "Min, Qin, Shen & Cheng",
    year: 2023,
    deviations: [
      "Distillation from the suspect is added; --repair.distillation 0 turns it off.",
      REINSERTED,
    ],
  },
  config,
  space: { learningRate: LEARNING_RATES, alpha: [0.02, 0.05, 0.1, 0.2, 0.4] },
  run(context, input, options) {
    const head = input.model.roles.head.weight;
    const norm = frobenius(input.model.constant(head).data as Float32Array);
    return fineTune(context, input, {
      ...options,
      stage: "feature-shift-tuning",
      schedule: cosine(options.learningRate, options.steps),
      optimiser: sgd({ momentum: options.momentum, weightDecay: options.weightDecay }),
      ...(options.freshHead ? { start: freshHead(context, input.model, norm) } : {}),
      loss(b, { student, pivot, labels, weight, pivotWeight }) {
        const alignment = b.sum(b.mul(weight(head), pivotWeight(head))); // ⟨W, W̃⟩
        const task = b.mean(crossEntropy(b, student.logits, labels));
        const loss = b.add(task, b.mul(b.scalar(options.alpha), alignment));
        if (options.distillation === 0) return loss;
        const kept = b.mean(distillation(b, pivot.logits, student.logits, options.temperature));
        return b.add(loss, b.mul(b.scalar(options.distillation), kept));
      },
      project: (b, name, updated) => (name === head ? withNorm(b, updated, norm) : updated),
    });
  },
};

/** W ~ U(−1/√d, 1/√d) as a linear layer is initialised in PyTorch, scaled to the suspect's norm. */
function freshHead(context: RunContext, model: Classifier, norm: number): Weights {
  const { weight, op } = model.roles.head;
  const old = model.constant(weight);
  // A Gemm's or MatMul's matrix is [K,d] or [d,K], a Conv's [K,d,1,1]: d is what is not K.
  const elements = old.data.length;
  const bound = 1 / Math.sqrt(elements / model.classes);
  const random = context.random.fork(`head/${op}`);
  const drawn = Float32Array.from({ length: elements }, () => random.uniform(-bound, bound));
  const scale = norm / frobenius(drawn);
  return new Map([
    [
      weight,
      float32(
        old.shape,
        drawn.map((value) => value * scale),
      ),
    ],
  ]);
}

function withNorm(b: GraphBuilder, weight: Value, norm: number): Value {
  return b.mul(weight, b.div(b.scalar(norm), b.unary("Sqrt", b.sumSquares(weight))));
}

function frobenius(values: Float32Array): number {
  return Math.sqrt(values.reduce((total, value) => total + value * value, 0));
}
