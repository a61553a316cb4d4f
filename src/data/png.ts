import sharp from "sharp";
import { AntidoteError, invariant } from "../core/errors.ts";
import { type FloatTensor, tensor } from "../core/tensor.ts";
import { toInterleaved, toPlanes } from "./decode.ts";
import { kindOf } from "./files.ts";
import { type Geometry, toUnitRange } from "./images.ts";

/** PNG bytes of an image [C,H,W], 0 … 255; C is 1 (grey), 3 (RGB) or 4 (RGBA). */
export async function encodePng(image: Uint8Array, geometry: Geometry): Promise<Uint8Array> {
  const { channels, height, width } = geometry;
  invariant(channels === 1 || channels === 3 || channels === 4, "a PNG has 1, 3 or 4 channels");
  const png = sharp(toInterleaved(image, channels), { raw: { width, height, channels } });
  return (channels === 1 ? png.toColourspace("b-w") : png).png().toBuffer();
}

/** PNG bytes of a tensor [C,H,W] in [0,1]; values outside are clamped, then rounded to 1/255. */
export async function tensorToPng(image: FloatTensor): Promise<Uint8Array> {
  invariant(image.shape.length === 3, "a picture has the axes [C,H,W]");
  const [channels, height, width] = image.shape as [number, number, number];
  return encodePng(toBytes(image.data), { channels, height, width });
}

/** [0,1] to 0 … 255, clamped and rounded. */
export function toBytes(values: Float32Array): Uint8Array {
  const clamped = Uint8ClampedArray.from(values, (value) => 255 * value);
  return new Uint8Array(clamped.buffer);
}

/**
 * A trigger as a picture: RGBA, [4,H,W] in [0,1], exactly as stored (not premultiplied, not resized);
 * alpha is 1 where the file has none. Errors: `DATA_NOT_FOUND`; `IMAGE_UNREADABLE`.
 */
export async function readRgba(path: string): Promise<FloatTensor> {
  await kindOf(path);
  try {
    const { data, info } = await sharp(path, { ignoreIcc: true, failOn: "error" })
      .toColourspace("srgb")
      .ensureAlpha()
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true }); // [H,W,4]
    const shape = [4, info.height, info.width];
    return tensor("float32", shape, toUnitRange(toPlanes(data, 4)));
  } catch (cause) {
    throw new AntidoteError("IMAGE_UNREADABLE", `"${path}" cannot be decoded as a picture.`, {
      place: path,
      next: "Give a PNG file with red, green, blue and, if parts are see-through, alpha.",
      cause,
    });
  }
}
