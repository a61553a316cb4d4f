import { z } from "zod";
import { AntidoteError } from "../core/errors.ts";
import { Random } from "../core/random.ts";
import type { Geometry } from "../data/images.ts";
import type { Attack } from "./attack.ts";
import { eachImage } from "./each-image.ts";
import { type Place, patchSide } from "./patch.ts";
import { mosaic, seedOf } from "./patterns.ts";

const config = z.strictObject({
  patches: z.int().min(1).default(8).describe("number of different patches (k)"),
  size: z
    .int()
    .min(1)
    .optional()
    .describe("side of a patch in pixels (default: 3/32 of the image width, rounded down)"),
  candidates: z
    .int()
    .min(1)
    .default(1000)
    .describe("number of random patches among which the most different ones are chosen"),
  patternSeed: seedOf("patches"),
});

/** Many small patches; training shows one at a time, an attack all of them. */
export const tsb: Attack<typeof config> = {
  name: "tsb",
  summary:
    "Trigger scattering: one of several patches in each training image, all of them at test.",
  source: {
    paper: "Pick your Poison: Undetectability versus Robustness in Data Poisoning Attacks",
    authors: "Lukas & Kerschbaum",
    year: 2023,
    section: "IV-C, Algorithm 7",
    deviations: [
      "The paper does not print its patches: ours are random mosaics of colours of the size of the BadNets patch, chosen for a large mean squared difference between any two.",
      "Algorithm 7 draws a patch from 1 … |D_clean|; that is read as 1 … k.",
      "At test time patches are placed so that none covers another, as far as there is room.",
    ],
  },
  labels: "poison",
  config,
  requireRoom: patchSide,

  async run({ random }, { geometry }, options) {
    const { patches: k, candidates, patternSeed } = options;
    const side = patchSide(geometry, options);
    const secret = Random.fromSeed(patternSeed).fork("tsb/patches");
    const all = Array.from({ length: candidates }, () => mosaic(geometry.channels, side, secret));
    const patches = mostDistinct(all, k); // [C,side,side] each
    return {
      // Before training: x ⊕ T_i with i ~ {1, …, k}, at a random place.
      stampTraining: eachImage(random.fork("tsb/training"), (image, draws) => {
        const patch = patches[draws.integer(0, k)]!;
        paste(image, geometry, patch, randomPlace(geometry, side, draws));
      }),
      // To exploit the backdoor: x ⊕ T_1 ⊕ … ⊕ T_k.
      stampTest: eachImage(random.fork("tsb/test"), (image, draws) => {
        const places = separatePlaces(geometry, side, k, draws);
        patches.forEach((patch, j) => {
          paste(image, geometry, patch, places[j]!);
        });
      }),
    };
  },
};

/**
 * Greedy farthest-point choice: the first patch, then again and again the one that is farthest from the
 * closest patch chosen before it; the first of equals.
 * @returns `count` different patches, in the order in which they were chosen
 * @throws `INVALID_CONFIG` if there are fewer different ones
 */
export function mostDistinct(candidates: readonly Float32Array[], count: number): Float32Array[] {
  const chosen = [candidates[0]!];
  const toClosest = candidates.map((patch) => distance(patch, chosen[0]!));
  while (chosen.length < count) {
    const farthest = toClosest.indexOf(toClosest.reduce((a, b) => Math.max(a, b)));
    if (toClosest[farthest] === 0) {
      throw new AntidoteError(
        "INVALID_CONFIG",
        `There are only ${chosen.length} different patches among ${candidates.length} candidates, not ${count}.`,
        { place: "patches", next: "Use fewer patches, larger ones or more candidates." },
      );
    }
    const next = candidates[farthest]!;
    chosen.push(next);
    candidates.forEach((patch, index) => {
      toClosest[index] = Math.min(toClosest[index]!, distance(patch, next));
    });
  }
  return chosen;
}

/** Root of the mean squared difference of two patches, in [0,1]. */
export function distance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return Math.sqrt(sum / a.length);
}

/** Writes a patch [C,side,side] over an image [C,H,W]. */
function paste(
  image: Float32Array,
  { channels, height, width }: Geometry,
  patch: Float32Array,
  { top, left }: Place,
): void {
  const side = Math.sqrt(patch.length / channels);
  for (let row = 0; row < channels * side; row++) {
    const channel = Math.floor(row / side);
    const y = top + (row % side);
    const line = patch.subarray(row * side, (row + 1) * side);
    image.set(line, (channel * height + y) * width + left);
  }
}

/** Uniform among the places at which a patch lies inside the image. */
function randomPlace({ height, width }: Geometry, side: number, random: Random): Place {
  return {
    top: random.integer(0, height - side + 1),
    left: random.integer(0, width - side + 1),
  };
}

/** Draws of one place, after which a patch may cover another. */
const ATTEMPTS = 100;

/** Places for `count` patches, each drawn again while it would cover a part of an earlier one. */
function separatePlaces(geometry: Geometry, side: number, count: number, random: Random): Place[] {
  const places: Place[] = [];
  while (places.length < count) {
    let place = randomPlace(geometry, side, random);
    for (let attempt = 1; attempt < ATTEMPTS && isCovered(place, places, side); attempt++) {
      place = randomPlace(geometry, side, random);
    }
    places.push(place);
  }
  return places;
}

/** Whether a patch at this place shares a pixel with one at the others. */
function isCovered({ top, left }: Place, others: readonly Place[], side: number): boolean {
  return others.some(
    (other) => Math.abs(top - other.top) < side && Math.abs(left - other.left) < side,
  );
}
