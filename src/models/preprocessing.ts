import { AntidoteError } from "../core/errors.ts";
import { float32 } from "../core/tensor.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { Value } from "../onnx/graph.ts";

/**
 * What a model expects of an image in [0,1]: y = scale · (x − mean) / std, where scale is 1 or 255,
 * then possibly with its channels reversed. It is part of every graph, so that triggers live in [0,1].
 */
export interface Preprocessing {
  /** "0-255" multiplies the normalised image by 255. */
  readonly range: "0-1" | "0-255";
  /** Channel order that the model expects. */
  readonly channels: "rgb" | "bgr";
  /** Per channel, in R,G,B order (or one value for greyscale), in units of [0,1]. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** A preprocessing that models in the wild use, with the name it is reported by. */
export interface NamedPreprocessing extends Preprocessing {
  readonly name: string;
}

function named(
  name: string,
  mean: readonly number[],
  std: readonly number[],
  rest: Partial<Pick<Preprocessing, "range" | "channels">> = {},
): NamedPreprocessing {
  return { name, range: "0-1", channels: "rgb", mean, std, ...rest };
}

const IMAGENET_MEAN = [0.485, 0.456, 0.406];
const IMAGENET_STD = [0.229, 0.224, 0.225];

const COLOUR: readonly NamedPreprocessing[] = [
  named("none", [0, 0, 0], [1, 1, 1]),
  named("cifar10", [0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616]),
  named("imagenet", IMAGENET_MEAN, IMAGENET_STD),
  named("half", [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]),
  named("0-255", [0, 0, 0], [1, 1, 1], { range: "0-255" }),
  named("caffe", IMAGENET_MEAN, [1, 1, 1], { range: "0-255", channels: "bgr" }),
  named("none-bgr", [0, 0, 0], [1, 1, 1], { channels: "bgr" }),
  named("0-255-bgr", [0, 0, 0], [1, 1, 1], { range: "0-255", channels: "bgr" }),
];

const GREY: readonly NamedPreprocessing[] = [
  named("none", [0], [1]),
  named("half", [0.5], [0.5]),
  named("mnist", [0.1307], [0.3081]),
  named("0-255", [0], [1], { range: "0-255" }),
];

/** The usual preprocessings for images with this many channels; the identity comes first. */
export function usualPreprocessings(channels: number): readonly NamedPreprocessing[] {
  return channels === 1 ? GREY : COLOUR;
}

/** Every name among them. */
export const PREPROCESSING_NAMES = [...new Set([...COLOUR, ...GREY].map(({ name }) => name))] as [
  string,
  ...string[],
];

/**
 * A usual preprocessing by its name.
 * @param place what named it, for the error
 * @throws `INVALID_CONFIG` if it is for images with other channels
 */
export function usualPreprocessing(
  name: string,
  channels: number,
  place: string,
): NamedPreprocessing {
  const usual = usualPreprocessings(channels);
  const found = usual.find((known) => known.name === name);
  if (found) return found;
  throw new AntidoteError(
    "INVALID_CONFIG",
    `"${name}" is for ${channels === 1 ? "colour" : "grey"} images.`,
    { place, next: `Choose one of ${usual.map((known) => known.name).join(", ")}.` },
  );
}

/** By how much factors and offsets may differ to count as the same: rounding in configuration files. */
const ALIKE = 1e-3;

/** y = factor·x + offset, per channel: factor = scale/std, offset = −scale·mean/std. */
function affine({ range, mean, std }: Preprocessing) {
  const unit = range === "0-255" ? 255 : 1;
  const factor = std.map((s) => unit / s);
  return { factor, offset: mean.map((m, c) => -m * factor[c]!) };
}

/** Whether two preprocessings compute the same, up to rounding. */
export function samePreprocessing(one: Preprocessing, other: Preprocessing): boolean {
  const [a, b] = [affine(one), affine(other)];
  const close = (x: readonly number[], y: readonly number[], scale: readonly number[]) =>
    x.length === y.length && x.every((v, c) => Math.abs(v - y[c]!) <= ALIKE * Math.abs(scale[c]!));
  return (
    one.channels === other.channels &&
    close(a.factor, b.factor, a.factor) &&
    close(a.offset, b.offset, a.factor)
  );
}

/**
 * Writes the preprocessing into a graph.
 * @param x images in [0,1], R,G,B: [N,C,H,W]
 * @returns what the model expects, still [N,C,H,W]
 * @throws `INVALID_CONFIG` unless it has a mean and a std for every channel
 */
export function appendPreprocessing(
  b: GraphBuilder,
  x: Value,
  preprocessing: Preprocessing,
): Value {
  const channels = x.shape[1]!;
  const { mean, std } = preprocessing;
  if (mean.length !== channels || std.length !== channels) {
    throw new AntidoteError(
      "INVALID_CONFIG",
      `The model takes images of ${channels} channels; the preprocessing has ${mean.length} values of mean and ${std.length} of std.`,
      { place: "preprocessing", next: "Give one value for each channel." },
    );
  }
  const { factor, offset } = affine(preprocessing);
  const perChannel = [1, channels, 1, 1];
  let y = x; // [N,C,H,W]
  if (factor.some((f) => f !== 1)) y = b.mul(y, b.constant(float32(perChannel, factor)));
  if (offset.some((o) => o !== 0)) y = b.add(y, b.constant(float32(perChannel, offset)));
  if (preprocessing.channels === "bgr") y = b.gather(y, b.ints([2, 1, 0]), 1);
  return y;
}
