import { z } from "zod";
import { Random } from "../core/random.ts";
import { float32 } from "../core/tensor.ts";
import type { Geometry } from "../data/images.ts";
import { bilinear, type Resampling, resample } from "../data/resample.ts";
import type { Stamp } from "../models/predict.ts";
import type { Attack } from "./attack.ts";
import { eachImage } from "./each-image.ts";
import { seedOf } from "./patterns.ts";

const OPTIONS = z.strictObject({
  grid: z.int().min(2).default(4).describe("control points per side of the warping field (k)"),
  strength: z
    .number()
    .gt(0)
    .default(1.5)
    .describe(
      "how far the field moves pixels (s): on average s/2 pixels along each axis; the original uses 0.5, the paper about three times that",
    ),
  patternSeed: seedOf("field"),
  noise: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe(
      "share of the marked images that keep their true label and are warped a little differently, so that only this very field becomes the trigger (noise mode)",
    ),
});

/** Images of the target class are bent by a smooth field that is always the same. */
export const wanet: Attack<typeof OPTIONS> = {
  name: "wanet",
  summary: "A smooth warp of the whole image, on images of the target class that keep their label.",
  source: {
    paper: "WaNet – Imperceptible Warping-based Backdoor Attack",
    authors: "Nguyen, Tran",
    year: 2021,
    section: "Warping field generation; Running modes",
    deviations: [
      "Clean labels, as in Lukas & Kerschbaum (Pick your Poison, 2023): the original relabels images of other classes.",
      "Poisoned images are chosen once and stored; the original marks a part of every batch anew.",
      "Noise samples count among the m marked images, and none are made by default; the original makes twice as many as there are poisoned images.",
      "The released code of Pick your Poison draws an 8×8 field and jitters every marked image; here the field is 4×4 and only noise samples are jittered, as in the original.",
      "The field and the jitter come from our own random numbers, not from PyTorch's.",
      "Where images are not square, a displacement is divided by the extent of its own axis.",
    ],
  },
  labels: "clean",
  config: OPTIONS,

  async run({ random }, { geometry }, { grid, strength, patternSeed, noise }) {
    const field = drawField(grid, Random.fromSeed(patternSeed).fork("wanet"));
    const places = warpingGrid(field, strength, geometry);
    const warping = gridSampling(places, geometry);
    const stamp: Stamp = ({ shape, data }) => float32(shape, resample(warping, data));
    const unlike = eachImage(random.fork("wanet/noise"), (image, draws) => {
      image.set(resample(gridSampling(jittered(places, geometry, draws), geometry), image));
    });
    const cover = noise > 0 ? { share: noise, stamp: unlike } : undefined;
    return { stampTraining: stamp, stampTest: stamp, cover };
  },
};

/** U(−1,1) at every control point, [2,k,k]: displacement along x, then along y. */
export function drawField(grid: number, random: Random): Float64Array {
  return Float64Array.from({ length: 2 * grid * grid }, () => random.uniform(-1, 1));
}

/**
 * Where every pixel is read: the identity grid plus the field, in coordinates that run from −1 (middle of
 * the first pixel) to 1 (middle of the last one).
 * @param field [2,k,k], at least one value not zero
 * @param strength s, positive
 * @returns [2,H,W] in [−1,1]: x, then y
 */
export function warpingGrid(
  field: ArrayLike<number>,
  strength: number,
  { height, width }: Geometry,
): Float64Array {
  const values = Array.from(field);
  const size = values.reduce((sum, value) => sum + Math.abs(value), 0) / values.length;
  const k = Math.sqrt(values.length / 2);
  const rows = cubicTaps(k, height);
  const columns = cubicTaps(k, width);
  const area = height * width;
  return Float64Array.from({ length: 2 * area }, (_, at) => {
    const axis = Math.floor(at / area); // 0: x, 1: y
    const [y, x] = [Math.floor((at % area) / width), at % width];
    const extent = axis === 0 ? width : height;
    let smooth = 0; // the control points, divided by their mean absolute value and upsampled
    for (const { index: i, weight: down } of rows[y]!) {
      for (const { index: j, weight: aside } of columns[x]!) {
        smooth += (down * aside * values[(axis * k + i) * k + j]!) / size;
      }
    }
    // Warping field generation, clipping: clamp(identity + s·field/h, −1, 1).
    return clamp(linspace(axis === 0 ? x : y, extent) + (strength * smooth) / extent);
  });
}

/** Grid sampling with aligned corners: `places` as of `warpingGrid`. */
export function gridSampling(places: Float64Array, geometry: Geometry): Resampling {
  const { height, width } = geometry;
  return bilinear(geometry, (y, x) => {
    const at = y * width + x;
    return [
      ((places[height * width + at]! + 1) / 2) * (height - 1),
      ((places[at]! + 1) / 2) * (width - 1),
    ];
  });
}

/** Running modes, noise mode: every place moves by another U(−1,1)/h along each axis. */
function jittered(places: Float64Array, { height, width }: Geometry, random: Random): Float64Array {
  const area = height * width;
  return places.map((place, at) =>
    clamp(place + random.uniform(-1, 1) / (at < area ? width : height)),
  );
}

/**
 * Bicubic upsampling of k values to `extent` along one axis, corners aligned (PyTorch's
 * `interpolate(mode="bicubic", align_corners=True)`): what each result is the weighted sum of.
 */
function cubicTaps(k: number, extent: number): { index: number; weight: number }[][] {
  return Array.from({ length: extent }, (_, at) => {
    const place = (at * (k - 1)) / Math.max(1, extent - 1);
    const first = Math.floor(place);
    return [-1, 0, 1, 2].map((offset) => ({
      index: Math.min(k - 1, Math.max(0, first + offset)), // beyond the edge: the last value
      weight: cubic(Math.abs(place - first - offset)),
    }));
  });
}

/** Keys' cubic convolution kernel at a distance in [0,2], with a = −0.75 as PyTorch. */
function cubic(distance: number): number {
  const a = -0.75;
  return distance <= 1
    ? ((a + 2) * distance - (a + 3)) * distance * distance + 1
    : (((distance - 5) * distance + 8) * distance - 4) * a;
}

/** Entry `at` of `extent` numbers evenly from −1 to 1. */
function linspace(at: number, extent: number): number {
  return (2 * at) / Math.max(1, extent - 1) - 1;
}

function clamp(value: number): number {
  return Math.min(1, Math.max(-1, value));
}
