import { z } from "zod";
import { MARGIN_LESSON, marginLesson } from "./margin-lesson.ts";
import { marginUnlearning } from "./margin-unlearning.ts";
import type { Repair } from "./repair.ts";
import { TRIGGER_LESSON, triggerLesson } from "./trigger-lesson.ts";
import { triggerUnlearning } from "./trigger-unlearning.ts";
import { UNLEARNING, unlearn } from "./unlearning.ts";

const config = z.strictObject({
  ...UNLEARNING.shape,
  ...TRIGGER_LESSON.shape,
  ...MARGIN_LESSON.shape,
});

/**
 * Backdoor unlearning: `trigger-unlearning` and `margin-unlearning` in one, half of what is shown from each where
 * both find something. Fixed triggers stand out by their size, scattered ones by their margin; few models show both.
 */
export const backdoorUnlearning: Repair<typeof config> = {
  name: "backdoor-unlearning",
  summary:
    "Teaches the model to ignore found triggers, and parts of the images it is most sure of.",
  source: {
    ...{ paper: "Neural Cleanse (Wang et al., 2019) and MM-BD (Wang et al., 2024)", year: 2024 },
    authors: "see trigger-unlearning and margin-unlearning",
    deviations: [...triggerUnlearning.source.deviations, ...marginUnlearning.source.deviations],
  },
  config,
  revision: 6,
  takesTriggers: true,
  space: triggerUnlearning.space,
  async *run(context, input, options) {
    const lessons = [
      await triggerLesson(context, input, options),
      await marginLesson(context, input, options),
    ];
    const found = lessons.filter((lesson) => lesson !== undefined);
    yield* unlearn(context, input, found, options, "backdoor-unlearning");
  },
};
