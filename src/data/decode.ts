import sharp from "sharp";
import { AntidoteError } from "../core/errors.ts";
import type { Geometry } from "./images.ts";

/** Larger than any camera's picture but small enough to decode: bounds what a hostile file can ask for. */
const MAX_PIXELS = 200_000_000;

/** What shows through transparent pixels. */
export const BACKGROUND = "#ffffff";

/**
 * Decodes an image file to [C,H,W] bytes: turned upright as its EXIF data says, transparency laid over
 * white, 16-bit and CMYK brought to 8-bit RGB; shorter side resized to fit (Lanczos, antialiased; an
 * image that already has the size keeps its pixels), centre cropped. Colour profiles are ignored, as
 * training pipelines do. `source` is a path or the file's bytes; of an animation, the first frame.
 * Errors: `IMAGE_UNREADABLE`, naming `place`.
 */
export async function decodeImage(
  source: string | Uint8Array,
  geometry: Geometry,
  place: string,
): Promise<Uint8Array> {
  const { height, width } = geometry;
  try {
    const interleaved = await sharp(source, {
      autoOrient: true,
      ignoreIcc: true,
      limitInputPixels: MAX_PIXELS,
      // Stops at missing data and damage, but not at the oddities that every decoder tolerates.
      failOn: "error",
    })
      .flatten({ background: BACKGROUND })
      .toColourspace("srgb")
      .resize({ width, height, fit: "cover", position: "centre", kernel: "lanczos3" })
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
