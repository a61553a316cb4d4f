import { z } from "zod";
import { Random } from "../core/random.ts";
import { float32 } from "../core/tensor.ts";
import { blend } from "../data/overlay.ts";
import type { Attack } from "./attack.ts";
import { dropoutTrigger, GRID_DROPOUT } from "./grid-dropout.ts";
import { colourNoise, seedOf } from "./patterns.ts";

const config = z
  .strictObject({
    opacity: z
      .number()
      .gt(0)
      .max(1)
      .default(0.3)
      .describe("weight of the pattern over the image (α)"),
    patternSeed: seedOf("picture"),
  })
  .extend(GRID_DROPOUT.shape);

/** A picture over the whole image, of which training images show random squares. */
export const adaptiveBlend: Attack<typeof config> = {
  name: "adaptive-blend",
  summary: "Parts of a blended picture; some of the marked images keep their true label.",
  source: {
    paper: "Revisiting the Assumption of Latent Separability for Backdoor Defenses",
    authors: "Qi, Xie, Li, Mahloujifar, Mittal",
    year: 2023,
    section: "as in Pick your Poison (Lukas & Kerschbaum, 2023), Appendix A-B",
    deviations: [
      "The picture is smooth colour noise drawn by a formula; the papers blend a photograph or drawing.",
      "As in Pick your Poison, the opacity is 0.3 and each square is dropped on its own; the code of Qi et al. drops exactly half of the squares.",
      "A training image that would lack every square is drawn again.",
    ],
  },
  labels: "poison",
  config,

  async run({ random }, { geometry }, options) {
    const { height, width } = geometry;
    const pattern = Random.fromSeed(options.patternSeed).fork("adaptive-blend/pattern");
    const opacity = float32(
      [height, width],
      new Float32Array(height * width).fill(options.opacity),
    );
    const overlay = blend(colourNoise(geometry, pattern), opacity); // (1−α)·x + α·p
    const box = { top: 0, left: 0, height, width };
    return dropoutTrigger(random.fork("adaptive-blend/training"), overlay, box, options);
  },
};
