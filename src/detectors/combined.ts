import { z } from "zod";
import { type Detector, detection } from "./detector.ts";
import { mmBd } from "./mm-bd.ts";
import { relativeToThresholds, ruleOf } from "./rules.ts";
import { smallestTrigger } from "./smallest-trigger.ts";

const margins = mmBd.config.shape;

const config = z.strictObject({
  ...smallestTrigger.config.shape,
  marginSteps: margins.steps,
  marginImages: margins.images,
  opacity: margins.opacity,
});

/**
 * Smallest triggers and largest margins together: fixed triggers stand out by their size (`smallest-trigger`),
 * scattered ones by how sure the network is of their target (`mm-bd`). With τ the score from which a part
 * counts as evidence,
 *
 *     score_c = max(gap_c/τ_gap, outlier_c/τ_outlier)   from τ on; see `relativeToThresholds` for what is below
 *
 * Two chances to find a backdoor are two chances of a false alarm.
 */
export const combined: Detector<typeof config> = {
  name: "combined",
  summary: "Smallest triggers and largest margins, whichever stands out more.",
  source: {
    paper: "Neural Cleanse (Wang et al., 2019) and MM-BD (Wang et al., 2024)",
    authors: "see smallest-trigger and mm-bd",
    year: 2024,
    deviations: ["Scores are put together by their thresholds, which neither paper does."],
  },
  config,
  revision: 4,
  needsRepair: false,
  kinds: ({ families }) => families,
  search: (context, input, options) =>
    smallestTrigger.search!(context, input, smallestTrigger.config.strip().parse(options)),
  async run(context, input, options) {
    const { marginSteps: steps, marginImages: images, opacity, classesPerStep } = options;
    const parts = [
      await smallestTrigger.run(context, input, smallestTrigger.config.strip().parse(options)),
      await mmBd.run(context, input, mmBd.config.parse({ steps, images, opacity, classesPerStep })),
    ];
    const scored = parts.map(({ statistic, classes }) => {
      const rule = ruleOf(statistic, input.model.classes);
      return classes.map((evidence) => ({
        ...evidence,
        score: relativeToThresholds(rule, evidence.score),
      }));
    });
    const [gaps, outliers] = scored as [(typeof scored)[0], (typeof scored)[0]];
    return detection(
      "of-threshold",
      gaps.map((gap, index) => {
        const outlier = outliers[index]!;
        return outlier.score > gap.score ? outlier : gap;
      }),
      parts.reduce((sum, { looks }) => sum + looks, 0),
    );
  },
};
