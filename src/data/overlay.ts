import { AntidoteError, invariant } from "../core/errors.ts";
import { type FloatTensor, float32 } from "../core/tensor.ts";
import { encodePng, readRgba, toBytes } from "./png.ts";

/**
 * A trigger that treats every image alike: x ↦ clamp(keep·x + add, 0, 1). Patches, blended patterns and
 * additive noise are all of this form, known ones as well as inverted ones.
 */
export interface Overlay {
  readonly kind: "blend" | "add";
  /** [H,W] in [0,1]: how much of the image stays. All ones for additive triggers. */
  readonly keep: FloatTensor;
  /** [C,H,W]: what is added; in [−1,1]. */
  readonly add: FloatTensor;
}

/** A pattern [C,H,W] shown with opacity [H,W], both in [0,1]: x ↦ (1−opacity)·x + opacity·pattern. */
export function blend(pattern: FloatTensor, opacity: FloatTensor): Overlay {
  const keep = opacity.data.map((alpha) => 1 - alpha);
  const area = keep.length;
  const add = pattern.data.map((value, at) => value * opacity.data[at % area]!);
  return { kind: "blend", keep: float32(opacity.shape, keep), add: float32(pattern.shape, add) };
}

/** Values [C,H,W] added to the image: x ↦ clamp(x + values, 0, 1). */
export function additive(values: FloatTensor): Overlay {
  const [, height, width] = values.shape as [number, number, number];
  const keep = new Float32Array(height * width).fill(1);
  return { kind: "add", keep: float32([height, width], keep), add: values };
}

/**
 * The same trigger, shown more strongly: opacity or added values times `factor`, opacity at most 1.
 * @param factor at least 1
 */
export function strengthenedOverlay({ kind, keep, add }: Overlay, factor: number): Overlay {
  const area = keep.data.length;
  const opacity = keep.data.map((kept) => Math.min(1, factor * (1 - kept)));
  const grown = (value: number, at: number) => {
    const before = 1 - keep.data[at % area]!;
    if (kind === "add" || before === 0) return factor * value;
    return value * (opacity[at % area]! / before);
  };
  return {
    kind,
    keep:
      kind === "add"
        ? keep
        : float32(
            keep.shape,
            opacity.map((alpha) => 1 - alpha),
          ),
    add: float32(add.shape, add.data.map(grown)),
  };
}

/**
 * The images [B,C,H,W] in [0,1] with the trigger on; the argument stays as it is.
 * @param rows the rows to stamp; by default all
 */
export function stampOverlay(
  overlay: Overlay,
  images: FloatTensor,
  rows: Iterable<number> = Array(images.shape[0]!).keys(),
): FloatTensor {
  const { keep, add } = overlay;
  const length = add.data.length;
  const area = keep.data.length;
  invariant(images.data.length % length === 0, "the trigger does not fit the images");
  const stamped = images.data.slice();
  for (const row of rows) {
    const start = row * length;
    for (let i = 0; i < length; i++) {
      const value = keep.data[i % area]! * stamped[start + i]! + add.data[i]!;
      stamped[start + i] = Math.min(1, Math.max(0, value));
    }
  }
  return float32(images.shape, stamped);
}

/**
 * A trigger from a picture.
 * @param mode "blend": the picture's RGBA is blended over the image. "add": its RGB is added.
 * @throws `IMAGE_UNREADABLE`, `DATA_INVALID` if its size is not the images'
 */
export async function readOverlay(
  path: string,
  mode: "blend" | "add",
  size: { readonly channels: number; readonly height: number; readonly width: number },
): Promise<Overlay> {
  const rgba = await readRgba(path); // [4,H,W]
  const [, height, width] = rgba.shape as [number, number, number];
  if (height !== size.height || width !== size.width) {
    throw new AntidoteError(
      "DATA_INVALID",
      `The trigger is ${width}×${height} pixels, the model's images are ${size.width}×${size.height}.`,
      {
        place: path,
        next: "Give the trigger in the size of the model's input; it is not resized.",
      },
    );
  }
  const area = height * width;
  // A greyscale model sees the mean of the three colours.
  const colours =
    size.channels === 3
      ? rgba.data.slice(0, 3 * area)
      : Float32Array.from(
          { length: area },
          (_, at) => (rgba.data[at]! + rgba.data[area + at]! + rgba.data[2 * area + at]!) / 3,
        );
  const pattern = float32([size.channels, height, width], colours);
  return mode === "add"
    ? additive(pattern)
    : blend(pattern, float32([height, width], rgba.data.slice(3 * area)));
}

/**
 * The trigger as a PNG that `readOverlay` understands where its mode allows: a blended trigger as RGBA,
 * an additive one on middle grey (its values may be negative), amplified to use the whole range.
 */
export async function overlayPng(overlay: Overlay): Promise<Uint8Array> {
  const { keep, add } = overlay;
  const [channels, height, width] = add.shape as [number, number, number];
  const area = height * width;
  if (overlay.kind === "add") {
    const largest = add.data.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
    return encodePng(toBytes(add.data.map((value) => 0.5 + (0.5 * value) / largest)), {
      channels,
      height,
      width,
    });
  }
  const rgba = new Float32Array(4 * area);
  for (let at = 0; at < area; at++) {
    const opacity = 1 - keep.data[at]!;
    for (let c = 0; c < 3; c++) {
      const value = add.data[(channels === 1 ? 0 : c) * area + at]!;
      rgba[c * area + at] = opacity > 0 ? value / opacity : 0;
    }
    rgba[3 * area + at] = opacity;
  }
  return encodePng(toBytes(rgba), { channels: 4, height, width });
}
