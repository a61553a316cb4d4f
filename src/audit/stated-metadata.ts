import { z } from "zod";
import type { Preprocessing } from "../models/preprocessing.ts";
import type { OnnxFile } from "../onnx/file.ts";
import type { ImageFacts } from "./image-facts.ts";
import { metadataOf } from "./labels.ts";

/** What the tool itself writes into files that it repaired. */
const OWN = z.strictObject({
  range: z.enum(["0-1", "0-255"]),
  channels: z.enum(["rgb", "bgr"]),
  mean: z.array(z.number()),
  std: z.array(z.number().positive()),
});

const side = z.int().min(1).max(65_536);
const SIZE = z.tuple([side, side]).transform(([height, width]) => ({ height, width }));

/** Scales of pixels by the names of ONNX's image metadata. */
const RANGES: Readonly<Record<string, Pick<Preprocessing, "range" | "mean" | "std">>> = {
  NominalRange_0_255: { range: "0-255", mean: [0], std: [1] },
  Normalized_0_1: { range: "0-1", mean: [0], std: [1] },
  Normalized_1_1: { range: "0-1", mean: [0.5], std: [0.5] },
};

/**
 * What the entries of an ONNX file state about images: those that Antidote writes, ONNX's own for images
 * (`Image.NominalPixelRange`, `Image.BitmapPixelFormat`), and `imgsz` as Ultralytics writes it.
 */
export function metadataFacts(file: OnnxFile): ImageFacts[] {
  const metadata = metadataOf(file);
  const own = OWN.safeParse(parsed(metadata["antidote.preprocessing"]));
  const range = RANGES[metadata["Image.NominalPixelRange"] ?? ""];
  const format = metadata["Image.BitmapPixelFormat"] ?? "";
  const channels = /^bgr/i.test(format) ? "bgr" : "rgb";
  const size = SIZE.safeParse(parsed(metadata["imgsz"]));
  return [
    ...(own.success ? [{ source: "antidote.preprocessing", preprocessing: own.data }] : []),
    ...(range
      ? [{ source: "Image.NominalPixelRange", preprocessing: { ...range, channels } as const }]
      : []),
    ...(size.success ? [{ source: "imgsz", size: size.data }] : []),
  ];
}

function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}
