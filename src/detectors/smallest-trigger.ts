import { z } from "zod";
import { targetsAmong } from "../inversion/examined.ts";
import {
  DEFAULT_EFFORT,
  type SmallestTriggers,
  searchSmallestTriggers,
  sizeGaps,
} from "../inversion/smallest.ts";
import { FAMILY_NAMES } from "../inversion/trigger-family.ts";
import type { RunContext } from "../runtime/context.ts";
import { type Detector, type DetectorInput, detection } from "./detector.ts";
import { measureTriggers } from "./measure.ts";

const config = z.strictObject({
  families: z
    .array(z.enum(FAMILY_NAMES))
    .min(1)
    .default([...DEFAULT_EFFORT.families])
    .describe(
      'kinds of trigger to search: "masked" patches, "smooth" patterns added to the whole image, "additive" ones of any frequency, "warped" smooth fields that bend the image',
    ),
  steps: z.int().min(1).default(DEFAULT_EFFORT.steps).describe("Adam steps per group of classes"),
  images: z
    .int()
    .min(1)
    .default(DEFAULT_EFFORT.images)
    .describe("trusted images per class and step"),
  classesPerStep: z
    .int()
    .min(1)
    .default(DEFAULT_EFFORT.classesPerStep)
    .describe("classes that share a step"),
  success: z
    .number()
    .gt(0)
    .max(1)
    .default(DEFAULT_EFFORT.success)
    .describe("success on the suspect that a trigger must have"),
});

/**
 * Smallest triggers: the target class of a backdoor is reached from everywhere by a far smaller change
 * than any other class. For every class the smallest trigger that works is searched, and its score is
 * how many times smaller it is than the smallest of any other class, for each kind of trigger by itself. After a
 * screening the other classes are those that it let through: the closest rivals of all that there are, so a gap
 * among them is one among all classes unless screening left out a class with as small a trigger.
 */
export const smallestTrigger: Detector<typeof config> = {
  name: "smallest-trigger",
  summary: "Compares the classes by the smallest trigger that moves other images into them.",
  source: {
    paper: "Neural Cleanse: Identifying and Mitigating Backdoor Attacks in Neural Networks",
    authors: "Wang et al.",
    year: 2019,
    section: "IV",
    deviations: [
      "A class is compared with the closest other one as a ratio, not by the anomaly index: with ten classes the median deviation is too noisy.",
      "Additive triggers, of low and of all frequencies, and warps are searched beside masked ones.",
      "All classes are searched side by side, with Adam's decay rates 0.5 and 0.9.",
    ],
  },
  config,
  revision: 4,
  needsRepair: false,
  kinds: ({ families }) => families,
  search,
  async run(context, input, options) {
    const found = input.triggers ?? (await search(context, input, options));
    const families = await Promise.all(
      found.map((family) => measureTriggers(context, input, family)),
    );
    const scored = families.map((measured) => {
      const gaps = sizeGaps(measured);
      // Sizes are compared as ratios; one that was not enough counts at least like the largest that was.
      const largest = Math.max(0, ...measured.filter((t) => t.reached).map((t) => t.size));
      const peers = measured.map(
        ({ size, reached }) => -Math.log(reached ? size : Math.max(size, largest)),
      );
      return measured.map(({ target, reached: found, trigger, size, success, kept }, index) => {
        // A trigger that does not work on images it was not searched on is no evidence.
        const score = success.suspect.value * gaps[index]!;
        return { target, score, found, trigger, size, success, kept, peers };
      });
    });
    // A class is as suspicious as its most suspicious kind of trigger.
    const classes = scored[0]!.map((_, index) => {
      const kinds = scored.map((family) => family[index]!);
      return kinds.reduce((a, b) => (b.score > a.score ? b : a));
    });
    return detection("size-gap", classes, families.length);
  },
};

function search(
  context: RunContext,
  { model, search: images, examined }: Pick<DetectorInput, "model" | "search" | "examined">,
  options: z.output<typeof config>,
): Promise<SmallestTriggers> {
  const targets = targetsAmong(model.classes, examined);
  return searchSmallestTriggers(context, model, images, options, targets);
}
