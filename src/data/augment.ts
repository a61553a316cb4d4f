import type { Random } from "../core/random.ts";
import { type FloatTensor, float32 } from "../core/tensor.ts";
import { type Geometry, imageLength } from "./images.ts";

export interface AugmentOptions {
  /** Pixels of padding on each side that the crop may reach into. Default: 4 for every 32 of width. */
  readonly padding?: number | undefined;
  /** Whether to mirror every second image, left to right. Default true. */
  readonly flip?: boolean | undefined;
}

/**
 * Random crop and horizontal flip of images [B,C,H,W], as copies. Padding is zero *in pixels* (black),
 * as torchvision's RandomCrop pads before normalisation; after it, zero would be the mean colour. So
 * augment pixels, in bytes or in [0,1]. Draws three numbers per image, in this order: row, column,
 * flip, whatever the options say.
 */
export function augment<T extends Uint8Array | Float32Array>(
  images: T,
  geometry: Geometry,
  random: Random,
  { padding = Math.round(geometry.width / 8), flip = true }: AugmentOptions = {},
): T {
  const total = images.length / imageLength(geometry);
  const result = new (images.constructor as new (length: number) => T)(images.length);
  for (let row = 0; row < total; row++) {
    const down = random.integer(-padding, padding + 1);
    const right = random.integer(-padding, padding + 1);
    const mirrored = random.chance(0.5);
    const at = row * imageLength(geometry);
    copyShifted(images, result, at, geometry, down, right);
    if (flip && mirrored) mirror(result, at, geometry);
  }
  return result;
}

/** target[c,y,x] = source[c, y+down, x+right] where that exists; the rest stays zero. */
function copyShifted<T extends Uint8Array | Float32Array>(
  source: T,
  target: T,
  at: number,
  { channels, height, width }: Geometry,
  down: number,
  right: number,
): void {
  const length = width - Math.abs(right);
  const from = Math.max(0, right);
  const to = Math.max(0, -right);
  for (let channel = 0; channel < channels; channel++) {
    const plane = at + channel * height * width;
    for (let y = Math.max(0, -down); y < Math.min(height, height - down); y++) {
      const start = plane + (y + down) * width + from;
      target.set(source.subarray(start, start + length), plane + y * width + to);
    }
  }
}

/** Reverses every row of one image in place. */
function mirror(
  images: Uint8Array | Float32Array,
  at: number,
  { channels, height, width }: Geometry,
): void {
  const end = at + channels * height * width;
  for (let start = at; start < end; start += width) {
    images.subarray(start, start + width).reverse();
  }
}

/**
 * Images of which some show another one of the batch through: λ·x_i + (1−λ)·x_j, λ ~ U(½, 1). The labels
 * stay those of the image that shows more. A few hundred images become a wide set of inputs that way, on
 * which one network can be held to the answers of another (distillation with mixup, Beyer et al. 2022).
 * @param images [B,C,H,W]
 * @param share of the images that are mixed, in [0,1]
 */
export function mixPairs(images: FloatTensor, share: number, random: Random): FloatTensor {
  const rows = images.shape[0]!;
  const length = images.data.length / rows;
  const data = images.data.slice();
  for (let row = 0; row < rows; row++) {
    if (!random.chance(share)) continue;
    const other = random.integer(0, rows) * length;
    const own = random.uniform(0.5, 1);
    for (let i = 0; i < length; i++) {
      data[row * length + i] = own * data[row * length + i]! + (1 - own) * images.data[other + i]!;
    }
  }
  return float32(images.shape, data);
}
