import { z } from "zod";
import { AntidoteError, invariant } from "../core/errors.ts";
import type { Classifier } from "../models/classifier.ts";
import type { Value } from "../onnx/graph.ts";
import { crossEntropy } from "../train/losses.ts";
import { attentionLayers, attentionMap } from "./attention.ts";
import { refuseTransformer } from "./channels.ts";
import { fineTune } from "./fine-tune.ts";
import { LEARNING_RATES, REINSERTED, tuningFields } from "./options.ts";
import { plainTuning } from "./plain-tuning.ts";
import type { Checkpoint, Repair } from "./repair.ts";

const config = z.strictObject({
  ...tuningFields({
    ...{ steps: 2000, learningRate: 0.01 },
    ...{ checkpointEvery: 50, batchNorm: "reinsert" },
  }),
  teacherSteps: z
    .int()
    .min(1)
    .default(1000)
    .describe("steps for which a copy of the suspect is fine-tuned to be the teacher"),
  power: z.int().min(1).max(8).default(2).describe("p, power of the activations in attention maps"),
  attention: z
    .number()
    .min(0)
    .default(1000)
    .describe("λ_at, weight of the distance between attention maps"),
});

/**
 * Neural Attention Distillation: a copy of the suspect is fine-tuned on trusted images, and the suspect is
 * tuned to look where that teacher looks. With A_l the attention map of layer l,
 *
 *     L = CE(f(x), y) + λ_at·Σ_l MSE(A_l(f; x), A_l(f_T; x)),  A = Σ_c |F_c|^p / ‖Σ_c |F_c|^p‖₂
 */
export const nad: Repair<typeof config> = {
  name: "nad",
  summary: "Tunes the model to attend to what a fine-tuned copy of it attends to.",
  source: {
    paper: "Neural Attention Distillation: Erasing Backdoor Triggers from Deep Neural Networks",
    authors: "Li, Lyu, Koren, Lyu, Li & Ma",
    year: 2021,
    section: "Pick your Poison, Table V",
    deviations: [
      "Attention is compared on the last feature map of every spatial size, in whatever convolutional network.",
      "Momentum is plain, for the teacher as well; the authors' code takes Nesterov's.",
      REINSERTED,
    ],
  },
  config,
  space: {
    learningRate: LEARNING_RATES,
    teacherSteps: [1000, 1500, 2000],
    power: [2, 3, 4],
    attention: [100, 1000, 10_000],
  },
  async *run(context, input, options) {
    const plain = plainTuning(options);
    const teaching = {
      ...options,
      ...{ stage: "nad (teacher)", steps: options.teacherSteps, ...plain },
      checkpointEvery: options.teacherSteps,
    };
    const own = { ...context, random: context.random.fork("teacher") };
    const network = await input.model.at(1);
    refuseTransformer(network, input.model, "nad");
    const layers = attentionLayers(network);
    if (layers.length === 0) throw withoutMaps();
    const teacher = await last(fineTune(own, input, teaching));
    yield* fineTune(context, input, {
      ...options,
      ...plain,
      stage: "nad",
      teacher,
      loss(b, { student, pivot, labels }) {
        const task = b.mean(crossEntropy(b, student.logits, labels));
        const distances = layers.map((name) => {
          const [own, taught] = [student, pivot].map(({ tensor }) =>
            attentionMap(b, tensor(name), options.power),
          ) as [Value, Value];
          const difference = b.sub(own, taught);
          return b.mean(b.mul(difference, difference));
        });
        return distances.reduce(
          (loss, distance) => b.add(loss, b.mul(b.scalar(options.attention), distance)),
          task,
        );
      },
    });
  },
};

function withoutMaps(): AntidoteError {
  return new AntidoteError(
    "INVALID_CONFIG",
    "The model has no feature maps to compare attention on.",
    {
      place: "nad",
      next: "Choose another repair: this one is for convolutional networks.",
    },
  );
}

async function last(checkpoints: AsyncIterable<Checkpoint>): Promise<Classifier> {
  let model: Classifier | undefined;
  for await (const checkpoint of checkpoints) model = checkpoint.model;
  invariant(model, "a repair ends with a checkpoint");
  return model;
}
