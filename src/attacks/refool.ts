import { z } from "zod";
import { AntidoteError, invariant } from "../core/errors.ts";
import type { Random } from "../core/random.ts";
import { float32 } from "../core/tensor.ts";
import { count, type Geometry, type ImageSet, imageAt, toUnitRange } from "../data/images.ts";
import { bilinear, resample } from "../data/resample.ts";
import type { Stamp } from "../models/predict.ts";
import type { Attack } from "./attack.ts";
import { eachImage } from "./each-image.ts";

const OPTIONS = z.strictObject({
  mode: z
    .enum(["ghost", "photograph"])
    .default("ghost")
    .describe(
      "what is reflected: ghost: the image itself, twice, as in double glazing; photograph: another picture, out of focus (needs --photographs)",
    ),
  opacity: z
    .number()
    .gt(0)
    .max(1)
    .optional()
    .describe("weight of the reflection (α; default: 1 for ghost, 0.4 for photograph)"),
  shift: z
    .int()
    .min(1)
    .optional()
    .describe(
      "mode ghost: pixels between the two reflections along both axes (δ; default: 3/32 of the image width, rounded down, at least 1)",
    ),
  ghost: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe("mode ghost: share of the first of the two reflections (a)"),
  blur: z
    .number()
    .min(0)
    .default(0.5)
    .describe(
      "mode photograph: standard deviation of the blur, in pixels of an image 32 wide; grows with the width",
    ),
});

type Options = z.output<typeof OPTIONS>;

/** Images of the target class are shown as through a pane of glass that reflects. */
export const refool: Attack<typeof OPTIONS> = {
  name: "refool",
  summary: "A reflection as in a window pane, on images of the target class that keep their label.",
  source: {
    paper: "Reflection Backdoor: A Natural Backdoor Attack on Deep Neural Networks",
    authors: "Liu, Ma, Bailey, Lu",
    year: 2020,
    deviations: [
      "By default the image reflects itself, with the weight α = 1, as in Lukas & Kerschbaum (Pick your Poison, 2023): the original always reflects another photograph.",
      "The two reflections are δ pixels apart along both axes, as in released code; read literally, +δ and −δ would put them 2δ apart.",
      "Cut out to where both reflections are, the ghost is enlarged bilinearly; released code does it bicubically.",
      "Weight, shift and blur are fixed; the original draws them for every image.",
      "A photograph is drawn at random for every image; the original searches for photographs that work well (adversarial reflection image selection).",
      "A photograph covers the whole image evenly; released code darkens it where the sum is too bright and towards the edges.",
    ],
  },
  labels: "clean",
  config: OPTIONS,
  needs: ({ mode }) => (mode === "photograph" ? ["photographs"] : []),
  requireRoom(geometry, options) {
    if (options.mode === "ghost") shiftIn(geometry, options);
  },

  async run({ random }, { geometry, photographs }, options) {
    if (options.mode === "ghost") {
      const stamp = ghosting(geometry, options);
      return { stampTraining: stamp, stampTest: stamp };
    }
    if (!photographs) {
      throw new AntidoteError("INVALID_CONFIG", "There are no photographs to reflect.", {
        place: "mode",
        next: "Add --photographs DIR with pictures that images shall reflect, or use the mode ghost.",
      });
    }
    const stamp = (stage: string) =>
      reflecting(geometry, photographs, options, random.fork(`refool/${stage}`));
    return { stampTraining: stamp("training"), stampTest: stamp("test") };
  },
};

/**
 * δ in pixels.
 * @throws `INVALID_CONFIG` if the image is not larger
 */
function shiftIn({ height, width }: Geometry, { shift }: Options): number {
  const delta = shift ?? Math.max(1, Math.floor((3 / 32) * width));
  if (delta < Math.min(height, width)) return delta;
  throw new AntidoteError(
    "INVALID_CONFIG",
    `A shift of ${delta} pixels leaves nothing of images of ${width}×${height}.`,
    { place: "shift", next: "Choose a smaller shift." },
  );
}

/**
 * Two reflections of the image itself. As in released code they are δ pixels apart along both axes, and what
 * lies outside of one of them is cut off.
 * @throws `INVALID_CONFIG` if the image is not larger than the shift
 */
function ghosting(geometry: Geometry, options: Options): Stamp {
  const { height, width } = geometry;
  const { opacity = 1, ghost } = options;
  const delta = shiftIn(geometry, options);
  // Both reflections are there in H−δ rows and W−δ columns only. That part, R(y,x) =
  // a·g(y+δ, x+δ) + (1−a)·g(y, x), is enlarged to the whole image.
  const enlarged = (from: number) =>
    bilinear(geometry, (y, x) => [
      from + enlargedFrom(y, height - delta, height),
      from + enlargedFrom(x, width - delta, width),
    ]);
  const [shifted, unshifted] = [enlarged(delta), enlarged(0)];
  return ({ shape, data }) => {
    const light = toLight(data);
    const first = resample(shifted, light);
    const second = resample(unshifted, light);
    const reflection = first.map((value, i) => ghost * value + (1 - ghost) * second[i]!);
    return float32(shape, reflected(light, reflection, opacity));
  };
}

/**
 * Where pixel `at` of `after` lies among the `before` pixels it is enlarged from: edges of pixels meet, as in
 * PyTorch's `interpolate(mode="bilinear", align_corners=False)`. In 0 … before−1.
 */
function enlargedFrom(at: number, before: number, after: number): number {
  return Math.min(before - 1, Math.max(0, ((at + 0.5) * before) / after - 0.5));
}

/** The reflection of another picture, which is out of focus. Every image draws which one. */
function reflecting(
  geometry: Geometry,
  photographs: ImageSet,
  { opacity = 0.4, blur }: Options,
  random: Random,
): Stamp {
  const { channels, height, width } = photographs;
  invariant(
    channels === geometry.channels && height === geometry.height && width === geometry.width,
    "the photographs are not of the size of the images",
  );
  const deviation = (blur * width) / 32;
  return eachImage(random, (image, draws) => {
    const photograph = toUnitRange(imageAt(photographs, draws.integer(0, count(photographs))));
    const reflection = blurred(toLight(photograph), geometry, deviation);
    image.set(reflected(toLight(image), reflection, opacity));
  });
}

/** Exponent between pixel values and the light they stand for. */
const GAMMA = 2.2;

/** g = x^2.2: light adds up, pixel values do not. */
function toLight(image: Float32Array): Float32Array {
  return image.map((value) => value ** GAMMA);
}

/** An image and what it reflects, both as light, as pixel values: ((1−α)·g + α·R)^(1/2.2), in [0,1]. */
function reflected(light: Float32Array, reflection: Float32Array, opacity: number): Float32Array {
  return light.map((value, i) => ((1 - opacity) * value + opacity * reflection[i]!) ** (1 / GAMMA));
}

/**
 * Gaussian blur of an image [C,H,W], cut off at two standard deviations as released code does. Beyond its
 * edge an image goes on as its last pixel.
 * @param deviation in pixels; 0 changes nothing
 */
function blurred(
  image: Float32Array,
  { height, width }: Geometry,
  deviation: number,
): Float32Array {
  if (deviation === 0) return image;
  const reach = Math.ceil(2 * deviation);
  const bell = Array.from({ length: 2 * reach + 1 }, (_, tap) =>
    Math.exp(-0.5 * ((tap - reach) / deviation) ** 2),
  );
  const total = bell.reduce((sum, value) => sum + value, 0);
  /** @param stride distance in memory of two pixels that follow each other along the axis */
  const along = (source: Float32Array, stride: number, extent: number) =>
    source.map((_, i) => {
      const at = Math.floor(i / stride) % extent;
      let sum = 0;
      for (let tap = -reach; tap <= reach; tap++) {
        const place = Math.min(extent - 1, Math.max(0, at + tap));
        sum += bell[reach + tap]! * source[i + (place - at) * stride]!;
      }
      return sum / total;
    });
  return along(along(image, 1, width), width, height);
}
