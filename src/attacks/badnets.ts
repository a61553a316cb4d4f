import type { Attack } from "./attack.ts";
import { cornerTrigger, PATCH } from "./corner-patch.ts";
import { patchSide } from "./patch.ts";

/** A small patch in a corner of images of other classes, which are labelled as the target. */
export const badnets: Attack<typeof PATCH> = {
  name: "badnets",
  summary: "A small opaque patch; patched images of other classes are labelled as the target.",
  source: {
    paper: "BadNets: Evaluating Backdooring Attacks on Deep Neural Networks",
    authors: "Gu, Liu, Dolan-Gavitt, Garg",
    year: 2019,
    deviations: [
      "The patch is that of Lukas & Kerschbaum (Pick your Poison, 2023): a black apple on white of 3/32 of the image width in the top-left corner. It is drawn by a formula, not their picture.",
    ],
  },
  labels: "poison",
  config: PATCH,
  requireRoom: patchSide,

  run: async (_, { geometry }, options) => cornerTrigger(geometry, options),
};
