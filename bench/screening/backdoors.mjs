import { blend, float32, Random } from "antidote";
import { cornerPatch, PATCH } from "../../dist/attacks/corner-patch.js";
import { colourNoise } from "../../dist/attacks/patterns.js";

/** Weight of the blended picture over the image. */
const OPACITY = 0.2;

/** Side of the patch in pixels of 224: 2 % of the image. */
const PATCH_SIDE = 32;

/** The triggers that are planted, by name: an overlay for images of a size. */
export const TRIGGERS = {
  badnets: (geometry) => cornerPatch(geometry, PATCH.parse({ size: PATCH_SIDE })).overlay,
  blended: (geometry) => {
    const { height, width } = geometry;
    const opacity = float32([height, width], new Float32Array(height * width).fill(OPACITY));
    return blend(colourNoise(geometry, Random.fromSeed(0).fork("screening/pattern")), opacity);
  },
};
