import { z } from "zod";
import { AntidoteError } from "../core/errors.ts";
import { stampTrigger } from "../data/fixed-trigger.ts";
import type { Inverted } from "../inversion/invert.ts";
import { CLEANSE_SEARCH, searchByNeuralCleanse } from "../inversion/neural-cleanse.ts";
import { fineTune } from "./fine-tune.ts";
import { LEARNING_RATES, tuningFields } from "./options.ts";
import { plainTuning } from "./plain-tuning.ts";
import type { Repair } from "./repair.ts";

const fields = CLEANSE_SEARCH.shape;

const config = z.strictObject({
  ...tuningFields({
    ...{ steps: 1000, learningRate: 0.001 },
    ...{ checkpointEvery: 50, batchNorm: "reinsert" },
  }),
  form: fields.form,
  triggerSteps: fields.steps,
  normWeight: fields.normWeight,
});

/**
 * Neural Cleanse's repair: a trigger is searched for every class, and the smallest one is unlearned by
 * fine-tuning. With i the class of the lowest ‖T‖₁,
 *
 *     L = CE(f(x ⊕ T_i), y) on even steps, CE(f(x), y) on odd ones
 */
export const neuralCleanse: Repair<typeof config> = {
  name: "neural-cleanse",
  summary: "Unlearns the smallest trigger of all classes, by true labels on every second batch.",
  source: {
    paper: "Pick your Poison: Undetectability versus Robustness in Data Poisoning Attacks",
    authors: "Lukas & Kerschbaum",
    year: 2023,
    section: "Algorithm 6, Table V; after Wang et al. (2019)",
    deviations: [
      "SGD tunes, as Table V says; Algorithm 6 prints Adam.",
      "The released code keeps the last class's trigger, whatever its size.",
    ],
  },
  config,
  space: { learningRate: LEARNING_RATES, normWeight: [2e-2, 1e-3, 1e-4, 1e-5, 1e-6] },
  async *run(context, input, options) {
    const { form, triggerSteps, normWeight } = options;
    const search = CLEANSE_SEARCH.parse({ form, steps: triggerSteps, normWeight });
    const own = { ...context, random: context.random.fork("neural-cleanse") };
    const found = await searchByNeuralCleanse(own, input.model, input.trusted, search);
    const { trigger } = smallestOf(found);
    yield* fineTune(context, input, {
      ...options,
      ...plainTuning(options),
      stage: "neural-cleanse",
      stamp: (images, _, step) => (step % 2 === 0 ? stampTrigger(trigger, images) : images),
    });
  },
};

/** The trigger of lowest norm, in masked form among those that work; the additive form of Algorithm 6 does not ask. */
function smallestOf(found: readonly Inverted[]): Inverted {
  const [smallest] = found.filter(({ reached }) => reached).sort((a, b) => a.size - b.size);
  if (smallest) return smallest;
  throw new AntidoteError("INVALID_CONFIG", "No trigger was found that works often enough.", {
    place: "neural-cleanse",
    next: "Search longer: --repair.trigger-steps 500.",
  });
}
