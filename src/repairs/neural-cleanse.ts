import { z } from "zod";
import { stampTrigger } from "../data/fixed-trigger.ts";
import type { Inverted } from "../inversion/invert.ts";
import { CLEANSE_SEARCH, searchByNeuralCleanse } from "../inversion/neural-cleanse.ts";
import { fineTune } from "./fine-tune.ts";
import { LEARNING_RATES, REINSERTED, tuningFields } from "./options.ts";
import { plainTuning } from "./plain-tuning.ts";
import type { Repair } from "./repair.ts";
import { untouched } from "./unlearning.ts";

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
 *
 * Where no trigger works, as may be in masked form, the model stays as it is.
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
      "In masked form, where no trigger works on 99 % of the images, the model stays as it is.",
      REINSERTED,
    ],
  },
  config,
  space: { learningRate: LEARNING_RATES, normWeight: [2e-2, 1e-3, 1e-4, 1e-5, 1e-6] },
  async *run(context, input, options) {
    const { form, triggerSteps, normWeight } = options;
    const search = CLEANSE_SEARCH.parse({ form, steps: triggerSteps, normWeight });
    const own = { ...context, random: context.random.fork("neural-cleanse") };
    const found = await searchByNeuralCleanse(own, input.model, input.trusted, search);
    const smallest = smallestOf(found);
    const stage = "neural-cleanse";
    if (!smallest) {
      const why = `no trigger works on ${100 * search.success} % of the images (--repair.trigger-steps searches longer)`;
      yield untouched(context, input, { ...options, stage }, why);
      return;
    }
    const { trigger } = smallest;
    yield* fineTune(context, input, {
      ...options,
      ...plainTuning(options),
      stage,
      stamp: (images, _, step) => (step % 2 === 0 ? stampTrigger(trigger, images) : images),
    });
  },
};

/** The trigger of lowest norm, in masked form among those that work; the additive form of Algorithm 6 does not ask. */
function smallestOf(found: readonly Inverted[]): Inverted | undefined {
  return found.filter(({ reached }) => reached).sort((a, b) => a.size - b.size)[0];
}
