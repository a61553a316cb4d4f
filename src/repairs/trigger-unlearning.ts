import { z } from "zod";
import { LEARNING_RATES } from "./options.ts";
import type { Repair } from "./repair.ts";
import { TRIGGER_LESSON, triggerLesson } from "./trigger-lesson.ts";
import { UNLEARNING, unlearn } from "./unlearning.ts";

const config = z.strictObject({ ...UNLEARNING.shape, ...TRIGGER_LESSON.shape });

/**
 * Trigger unlearning: the smallest triggers of every class are searched, and the model is taught to answer with a
 * trigger what the suspect answers without it: see `triggerLesson` and `unlearn`. Where none stands out the model
 * stays as it is.
 */
export const triggerUnlearning: Repair<typeof config> = {
  name: "trigger-unlearning",
  summary: "Teaches the model to ignore the triggers that were found, with the suspect as teacher.",
  source: {
    paper: "Neural Cleanse: Identifying and Mitigating Backdoor Attacks in Neural Networks",
    authors: "Wang et al.",
    year: 2019,
    section: "VI-C",
    deviations: [
      "Triggers of every kind that stand out are unlearned, the most suspicious ones more often.",
      "Triggers are shown up to three times as strongly as they were found: an attacker's need not be the smallest.",
      "Half of the images have another one shining through.",
      "The strongest trigger up to a size is searched before and again while the model is tuned.",
      "The learning rate is lowered as long as clean images do not keep their answers.",
      "Distillation from the suspect on images without triggers takes most of the labels' place.",
      "Weights are pulled to the suspect's (L2-SP of Li et al., 2018).",
    ],
  },
  config,
  revision: 6,
  takesTriggers: true,
  space: {
    learningRate: LEARNING_RATES,
    distillation: [1, 2, 4],
    anchor: [0, 0.1, 0.3, 1],
    strength: [1, 2, 3],
  },
  async *run(context, input, options) {
    const lesson = await triggerLesson(context, input, options);
    yield* unlearn(context, input, lesson ? [lesson] : [], options, "trigger-unlearning");
  },
};
