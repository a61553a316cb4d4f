import sharp, { type Region, type Sharp } from "sharp";
import { AntidoteError } from "../core/errors.ts";
import type { Geometry } from "./images.ts";

/** Larger than any camera's picture but small enough to decode: bounds what a hostile file can ask for. */
const MAX_PIXELS = 200_000_000;

/** What shows through transparent pixels. */
export const BACKGROUND = "#ffffff";

/** Filters for resizing, by their usual names; all antialiased where a picture shrinks. */
export type Kernel = "nearest" | "linear" | "cubic" | "lanczos3";

/** How a picture that does not have the model's size is brought to it. */
export interface Sizing {
  /**
   * Pixels to which the shorter side is brought before the centre is cut out, at least the model's; "stretch":
   * both sides are brought to the model's, whatever becomes of the proportions.
   */
  readonly resize: number | "stretch";
  readonly kernel: Kernel;
  /** What states it, in words. */
  readonly from?: string | undefined;
}

/** How pictures are brought to a size, in words for the user. */
export function sizingWords(sizing: Sizing | undefined): string {
  if (!sizing) return "shorter side to the model's size, centre cut out";
  const { resize, from } = sizing;
  const what =
    resize === "stretch"
      ? "stretched to the model's size"
      : `shorter side to ${resize} pixels, centre cut out`;
  return from === undefined ? what : `${what} (${from})`;
}

/**
 * Decodes an image file to [C,H,W] bytes: turned upright as its EXIF data says, transparency laid over
 * white, 16-bit and CMYK brought to 8-bit RGB; resized as `sizing` says, by default shorter side to fit
 * (Lanczos, antialiased), centre cropped; an image that already has the size keeps its pixels. Colour profiles
 * are ignored, as training pipelines do. `source` is a path or the file's bytes; of an animation, the first frame.
 * Errors: `IMAGE_UNREADABLE`, naming `place`.
 */
export async function decodeImage(
  source: string | Uint8Array,
  geometry: Geometry,
  place: string,
  sizing?: Sizing,
): Promise<Uint8Array> {
  const { height, width } = geometry;
  try {
    const picture = sharp(source, {
      autoOrient: true,
      ignoreIcc: true,
      limitInputPixels: MAX_PIXELS,
      // Stops at missing data and damage, but not at the oddities that every decoder tolerates.
      failOn: "error",
    });
    const centre = sizing && (await centreOf(picture, geometry, sizing));
    const interleaved = await (centre ? picture.extract(centre) : picture)
      .flatten({ background: BACKGROUND })
      .toColourspace("srgb")
      .resize({
        width,
        height,
        fit: centre || sizing?.resize === "stretch" ? "fill" : "cover",
        position: "centre",
        kernel: sizing?.kernel ?? "lanczos3",
      })
      .raw({ depth: "uchar" })
      .toBuffer(); // [H,W,3]
    return geometry.channels === 1 ? toGrey(interleaved) : toPlanes(interleaved, 3);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
    throw new AntidoteError("IMAGE_UNREADABLE", `"${place}" cannot be decoded: ${reason}.`, {
      place,
      next: "Replace the file, convert it to PNG or JPEG, or remove it.",
      cause,
    });
  }
}

/**
 * The part of a picture that is left when its shorter side is brought to `resize` pixels and H×W are cut out of the
 * centre, in pixels of the picture. Cutting first, to whole pixels, keeps an extremely long picture from growing.
 */
async function centreOf(
  picture: Sharp,
  { height, width }: Geometry,
  { resize }: Sizing,
): Promise<Region | undefined> {
  const { autoOrient: full } = await picture.metadata();
  if (resize === "stretch" || (full.height === height && full.width === width)) return undefined;
  const scale = Math.min(full.height, full.width) / resize;
  const cut = (wanted: number, all: number) =>
    Math.min(all, Math.max(1, Math.round(wanted * scale)));
  const [h, w] = [cut(height, full.height), cut(width, full.width)];
  const [top, left] = [Math.floor((full.height - h) / 2), Math.floor((full.width - w) / 2)];
  return { top, left, height: h, width: w };
}

/** [H,W,C] to [C,H,W]. */
export function toPlanes(interleaved: Uint8Array, channels: number): Uint8Array {
  const pixels = interleaved.length / channels;
  const planes = new Uint8Array(interleaved.length);
  for (let channel = 0; channel < channels; channel++) {
    for (let pixel = 0; pixel < pixels; pixel++) {
      planes[channel * pixels + pixel] = interleaved[pixel * channels + channel]!;
    }
  }
  return planes;
}

/** [C,H,W] to [H,W,C]. */
export function toInterleaved(planes: Uint8Array, channels: number): Uint8Array {
  // With the axes' roles exchanged it is the same permutation.
  return toPlanes(planes, planes.length / channels);
}

/** Luma of ITU-R BT.601 as Pillow computes it, in 16-bit fixed point; grey stays what it was. */
function toGrey(rgb: Uint8Array): Uint8Array {
  const grey = new Uint8Array(rgb.length / 3);
  for (let pixel = 0; pixel < grey.length; pixel++) {
    const [r, g, b] = [rgb[3 * pixel]!, rgb[3 * pixel + 1]!, rgb[3 * pixel + 2]!];
    grey[pixel] = (19595 * r + 38470 * g + 7471 * b + 32768) >> 16;
  }
  return grey;
}
