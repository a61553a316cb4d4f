import type { Attack } from "./attack.ts";
import { badnets } from "./badnets.ts";
import { cornerTrigger, PATCH } from "./corner-patch.ts";
import { patchSide } from "./patch.ts";

/** The patch of BadNets on images of the target class only, which keep their label. */
export const cBadnets: Attack<typeof PATCH> = {
  name: "c-badnets",
  summary:
    "BadNets with clean labels: only images of the target class carry the patch in training.",
  source: {
    paper: "Pick your Poison: Undetectability versus Robustness in Data Poisoning Attacks",
    authors: "Lukas & Kerschbaum",
    year: 2023,
    section: "V-B, Figures 5b and 6b",
    deviations: badnets.source.deviations.slice(0, 1),
  },
  labels: "clean",
  config: PATCH,
  requireRoom: patchSide,
  run: async (_, { geometry }, options) => cornerTrigger(geometry, options),
};
