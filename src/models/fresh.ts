import { z } from "zod";
import { count, type ImageSet, imageAt } from "../data/images.ts";
import type { RunContext } from "../runtime/context.ts";
import { Classifier } from "./classifier.ts";
import { resnet18 } from "./resnet18.ts";

/** Which network to build. */
export const ARCHITECTURE = z.strictObject({
  model: z.enum(["resnet18"]).default("resnet18").describe("architecture of the network"),
  width: z
    .int()
    .min(1)
    .default(32)
    .describe("channels of its first stage; cost grows with the square (the paper: 64)"),
  stem: z
    .enum(["cifar", "imagenet"])
    .default("cifar")
    .describe(
      "how it begins: by a 3×3 convolution for small images, or as for ImageNet by 7×7 and a maximum, each with stride 2",
    ),
});

export type Architecture = z.output<typeof ARCHITECTURE>;

/**
 * An untrained classifier for images like these. It takes images in [0,1] and begins with their
 * normalisation, so that whoever uses the exported file needs no numbers beside it.
 * @throws `RUNTIME_FAILED`
 */
export function freshClassifier(
  context: RunContext,
  images: ImageSet,
  { width: baseWidth, stem }: Architecture,
): Promise<Classifier> {
  const { channels, height, width, classNames } = images;
  const { mean, std } = channelStatistics(images);
  const classes = classNames.length;
  const options = { channels, height, width, classes, baseWidth, stem, mean, std };
  const graph = resnet18(options, context.random.fork("initial-weights"));
  return Classifier.fromGraph(graph, context.device);
}

/** Mean and standard deviation of every channel in units of [0,1], to four decimals. */
export function channelStatistics(set: ImageSet): { mean: number[]; std: number[] } {
  const plane = set.height * set.width;
  const sums = new Float64Array(set.channels);
  const squares = new Float64Array(set.channels);
  for (let index = 0; index < count(set); index++) {
    const image = imageAt(set, index);
    for (let channel = 0; channel < set.channels; channel++) {
      let sum = 0;
      let square = 0;
      for (let at = channel * plane; at < (channel + 1) * plane; at++) {
        const value = image[at]!;
        sum += value;
        square += value * value;
      }
      sums[channel]! += sum;
      squares[channel]! += square;
    }
  }
  const pixels = count(set) * plane;
  const rounded = (value: number) => Math.round(value * 1e4) / 1e4;
  const mean = Array.from(sums, (sum) => sum / pixels / 255);
  const std = mean.map((m, c) => Math.sqrt(squares[c]! / pixels / 255 ** 2 - m * m));
  // A channel of one colour has no scale to divide by.
  return { mean: mean.map(rounded), std: std.map((s) => rounded(s) || 1) };
}
