import { z } from "zod";
import { AntidoteError } from "../core/errors.ts";
import { float32 } from "../core/tensor.ts";
import { blend, stampOverlay } from "../data/overlay.ts";
import type { Stamp } from "../models/predict.ts";
import type { Attack } from "./attack.ts";
import { PATTERNS } from "./patterns.ts";

const config = z.strictObject({
  pattern: z
    .enum(["apple", "checker", "white"])
    .default("apple")
    .describe("what the patch shows: a black apple on white, a checkerboard of pixels, or white"),
  size: z
    .int()
    .min(1)
    .optional()
    .describe("side of the patch in pixels (default: 3/32 of the image width, rounded down)"),
  position: z
    .enum(["top-left", "top-right", "bottom-left", "bottom-right"])
    .default("top-left")
    .describe("corner in which the patch lies"),
  margin: z.int().min(0).default(0).describe("pixels between the patch and the two edges"),
  opacity: z
    .number()
    .gt(0)
    .max(1)
    .default(1)
    .describe("weight of the patch over the image: 1 hides what lies under it"),
});

/** A small patch in a corner of images of other classes, which are labelled as the target. */
export const badnets: Attack<typeof config> = {
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
  config,

  async run(_, { geometry }, { pattern, size, position, margin, opacity }) {
    const { channels, height, width } = geometry;
    const side = size ?? Math.max(1, Math.floor((3 / 32) * width));
    if (side + margin > Math.min(height, width)) {
      throw new AntidoteError(
        "INVALID_CONFIG",
        `A patch of ${side} pixels and a margin of ${margin} do not fit into images of ${width}×${height}.`,
        { place: "size", next: "Choose a smaller size or margin." },
      );
    }
    const top = position.startsWith("top") ? margin : height - margin - side;
    const left = position.endsWith("left") ? margin : width - margin - side;
    const grey = PATTERNS[pattern](side); // [side,side]
    const area = height * width;
    const picture = new Float32Array(channels * area); // [C,H,W]
    const cover = new Float32Array(area); // [H,W]
    grey.forEach((value, at) => {
      const pixel = (top + Math.floor(at / side)) * width + left + (at % side);
      cover[pixel] = opacity;
      for (let channel = 0; channel < channels; channel++) picture[channel * area + pixel] = value;
    });
    const overlay = blend(
      float32([channels, height, width], picture),
      float32([height, width], cover),
    );
    const stamp: Stamp = (images) => stampOverlay(overlay, images);
    return { stampTraining: stamp, stampTest: stamp };
  },
};
