import { z } from "zod";
import type { Kernel } from "../data/decode.ts";
import type { Preprocessing } from "../models/preprocessing.ts";

/** What a file beside a model states about the images that the model takes. */
export interface ImageFacts {
  /** Name of the file. */
  readonly source: string;
  readonly size?: { readonly height: number; readonly width: number } | undefined;
  readonly preprocessing?: Preprocessing | undefined;
  readonly sizing?: StatedSizing | undefined;
}

/** How the file wants pictures to be brought to the size of the input. */
export interface StatedSizing {
  /** Pixels of the shorter side, and those of it that the centre keeps; "stretch": proportions are given up. */
  readonly resize: { readonly shorter: number; readonly kept: number } | "stretch";
  readonly kernel?: Kernel | undefined;
}

const pixels = z.int().min(1).max(65_536);
const positive = z.number().positive();
const values = z
  .union([z.number(), z.array(z.number()).min(1).max(4)])
  .transform((v) => [v].flat());
const deviations = z
  .union([positive, z.array(positive).min(1).max(4)])
  .transform((v) => [v].flat());
const extents = z.union([
  pixels.transform((side) => ({ height: side, width: side, shortest: side })),
  z
    .looseObject({ height: pixels, width: pixels })
    .transform(({ height, width }) => ({ height, width, shortest: undefined })),
  z
    .looseObject({ shortest_edge: pixels })
    .transform(({ shortest_edge: side }) => ({ height: side, width: side, shortest: side })),
]);

/** An image processor of the library transformers, as far as it matters here. */
export const IMAGE_PROCESSOR = z.looseObject({
  do_resize: z.boolean().nullish(),
  size: extents.nullish().catch(undefined),
  resample: z.int().nullish(),
  crop_pct: positive.nullish(),
  do_center_crop: z.boolean().nullish(),
  crop_size: extents.nullish().catch(undefined),
  do_rescale: z.boolean().nullish(),
  rescale_factor: positive.nullish(),
  do_normalize: z.boolean().nullish(),
  image_mean: values.nullish(),
  image_std: deviations.nullish(),
  do_flip_channel_order: z.boolean().nullish(),
});

/** `pretrained_cfg` of the library timm. */
export const PRETRAINED = z.looseObject({
  input_size: z.tuple([z.int().min(1), pixels, pixels]).nullish(),
  mean: values.nullish(),
  std: deviations.nullish(),
  interpolation: z.string().nullish(),
  crop_pct: positive.nullish(),
  crop_mode: z.string().nullish(),
});

/** Pillow's numbers for its filters. */
const RESAMPLE: Readonly<Record<number, Kernel>> = {
  0: "nearest",
  1: "lanczos3",
  2: "linear",
  3: "cubic",
};

const INTERPOLATION: Readonly<Record<string, Kernel>> = {
  nearest: "nearest",
  lanczos: "lanczos3",
  bilinear: "linear",
  bicubic: "cubic",
};

/** At this size and above, crop_pct of ConvNeXt's processor stretches instead of cutting. */
const CONVNEXT_STRETCHES = 384;

/**
 * What an image processor states. With pixels p in 0 … 255 it computes p·rescale_factor, then
 * (· − image_mean) / image_std, then swaps the colours; each step may be switched off.
 */
export function processorFacts(
  processor: z.output<typeof IMAGE_PROCESSOR>,
  source: string,
): ImageFacts {
  const { size, crop_size: crop, do_center_crop: cuts } = processor;
  const input = cuts && crop ? crop : size;
  return {
    source,
    size: input ? { height: input.height, width: input.width } : undefined,
    preprocessing: processorValues(processor),
    sizing: processorSizing(processor),
  };
}

function processorValues(processor: z.output<typeof IMAGE_PROCESSOR>): Preprocessing | undefined {
  const { do_rescale, rescale_factor, do_normalize, image_mean, image_std } = processor;
  const { do_flip_channel_order } = processor;
  const told = [do_rescale, rescale_factor, do_normalize, image_mean, do_flip_channel_order];
  if (told.every((field) => field === undefined || field === null)) return undefined;
  const normalises = do_normalize ?? (image_mean != null || image_std != null);
  const scale = do_rescale === false ? 255 : rounded(255 * (rescale_factor ?? 1 / 255)); // of x in [0,1]
  const mean = (normalises && image_mean) || [0];
  const std = (normalises && image_std) || [1];
  const channels = do_flip_channel_order ? "bgr" : "rgb";
  if (scale === 255 && !normalises) return { range: "0-255", channels, mean, std };
  // (scale·x − m) / s = (x − m/scale) / (s/scale)
  return {
    range: "0-1",
    channels,
    mean: mean.map((m) => rounded(m / scale)),
    std: std.map((s) => rounded(s / scale)),
  };
}

function processorSizing(processor: z.output<typeof IMAGE_PROCESSOR>): StatedSizing | undefined {
  const { do_resize, size, do_center_crop, crop_size, crop_pct, resample } = processor;
  if (do_resize === false || !size) return undefined;
  const kernel = RESAMPLE[resample ?? -1];
  const { shortest } = size;
  if (crop_pct != null && shortest !== undefined && crop_size == null) {
    if (shortest >= CONVNEXT_STRETCHES) return { resize: "stretch", kernel };
    return { resize: { shorter: Math.floor(shortest / crop_pct), kept: shortest }, kernel };
  }
  if (do_center_crop && crop_size) {
    const kept = Math.min(crop_size.height, crop_size.width);
    const shorter = shortest ?? Math.min(size.height, size.width);
    return { resize: { shorter, kept }, kernel };
  }
  // A plain number has meant both; without a cut the picture must fill the input.
  return { resize: "stretch", kernel };
}

/** What timm's configuration states: the shorter side becomes ⌊side/crop_pct⌋, then the centre is cut out. */
export function pretrainedFacts(
  { input_size, mean, std, interpolation, crop_pct, crop_mode }: z.output<typeof PRETRAINED>,
  source: string,
): ImageFacts {
  const [, height, width] = input_size ?? [];
  const kernel = INTERPOLATION[interpolation ?? ""];
  const size = height !== undefined && width !== undefined ? { height, width } : undefined;
  const kept = size && Math.min(size.height, size.width);
  return {
    source,
    size,
    preprocessing: mean && std ? { range: "0-1", channels: "rgb", mean, std } : undefined,
    sizing:
      kept === undefined || crop_pct == null
        ? undefined
        : crop_mode === "squash"
          ? { resize: "stretch", kernel }
          : { resize: { shorter: Math.floor(kept / crop_pct), kept }, kernel },
  };
}

/** Without what floating point leaves of a division: 255 · (1/255) is 1. */
function rounded(value: number): number {
  return Number(value.toPrecision(9));
}
