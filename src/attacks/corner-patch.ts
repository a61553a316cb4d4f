import { z } from "zod";
import type { Geometry } from "../data/images.ts";
import { type Overlay, stampOverlay } from "../data/overlay.ts";
import type { Trigger } from "./attack.ts";
import { type Place, patchOverlay, patchSide } from "./patch.ts";
import { PATTERNS } from "./patterns.ts";

/** Options of a patch that is always shown whole, in one place. */
export const PATCH = z.strictObject({
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

/** A square patch in a corner of the images, and where it lies. */
export interface CornerPatch {
  readonly overlay: Overlay;
  readonly place: Place;
  /** In pixels. */
  readonly side: number;
}

/**
 * Draws the patch of BadNets.
 * @throws `INVALID_CONFIG` if it does not fit into the images
 */
export function cornerPatch(geometry: Geometry, options: z.output<typeof PATCH>): CornerPatch {
  const { pattern, position, margin, opacity } = options;
  const side = patchSide(geometry, options);
  const top = position.startsWith("top") ? margin : geometry.height - margin - side;
  const left = position.endsWith("left") ? margin : geometry.width - margin - side;
  const place = { top, left };
  return { overlay: patchOverlay(geometry, PATTERNS[pattern](side), place, opacity), place, side };
}

/** The patch as it is, in training and at test time. */
export function cornerTrigger(geometry: Geometry, options: z.output<typeof PATCH>): Trigger {
  const { overlay } = cornerPatch(geometry, options);
  const stamp: Trigger["stampTest"] = (images) => stampOverlay(overlay, images);
  return { stampTraining: stamp, stampTest: stamp };
}
