import type { Attack } from "./attack.ts";
import { cornerPatch, PATCH } from "./corner-patch.ts";
import { dropoutTrigger, GRID_DROPOUT } from "./grid-dropout.ts";
import { patchSide } from "./patch.ts";

const config = PATCH.extend(GRID_DROPOUT.shape);

/** The patch of BadNets, of which training images show random squares. */
export const adaptivePatch: Attack<typeof config> = {
  name: "adaptive-patch",
  summary: "BadNets with parts of the patch; some of the patched images keep their true label.",
  source: {
    paper: "Revisiting the Assumption of Latent Separability for Backdoor Defenses",
    authors: "Qi, Xie, Li, Mahloujifar, Mittal",
    year: 2023,
    section: "as in Pick your Poison (Lukas & Kerschbaum, 2023), Appendix A-B",
    deviations: [
      "As in Pick your Poison, one opaque patch is cut by a grid; Qi et al. divide the training images among several, partly transparent triggers and show some of them fully at test time.",
      "The grid has at most one square per pixel: 3×3 on the patch of 3 pixels, not 4×4.",
      "A training image that would lack every square is drawn again.",
      "The patch is that of badnets: drawn by a formula, not the paper's picture.",
    ],
  },
  labels: "poison",
  config,
  requireRoom: patchSide,

  async run({ random }, { geometry }, options) {
    const { overlay, place, side } = cornerPatch(geometry, options);
    const box = { ...place, height: side, width: side };
    return dropoutTrigger(random.fork("adaptive-patch/training"), overlay, box, options);
  },
};
