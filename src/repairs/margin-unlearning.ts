import { z } from "zod";
import { MM_BD } from "../inversion/margin-outlier.ts";
import { MARGIN_LESSON, marginLesson } from "./margin-lesson.ts";
import type { Repair } from "./repair.ts";
import { UNLEARNING, unlearn } from "./unlearning.ts";

const config = z.strictObject({ ...UNLEARNING.shape, ...MARGIN_LESSON.shape });

/**
 * Margin unlearning: the images that put a class furthest before all others are searched, and the model is taught to
 * ignore parts of them: see `marginLesson` and `unlearn`. No kind of trigger is assumed: patches that are scattered at
 * random places have no overlay that `trigger-unlearning` could find. Where no class stands out by its margin, the
 * model stays as it is.
 */
export const marginUnlearning: Repair<typeof config> = {
  name: "margin-unlearning",
  summary: "Teaches the model to ignore parts of the images that it is most sure of.",
  source: {
    ...MM_BD,
    deviations: [
      "The paper's own mitigation bounds activations; ours unlearns what its detector finds, so that the network keeps its form.",
    ],
  },
  config,
  space: {
    learningRate: [0.03, 0.01, 0.003, 0.001],
    anchor: [0, 0.1, 0.3, 1],
    most: [0.3, 0.5, 0.7],
  },
  async *run(context, input, options) {
    const lesson = await marginLesson(context, input, options);
    yield* unlearn(context, input, lesson ? [lesson] : [], options, "margin-unlearning");
  },
};
