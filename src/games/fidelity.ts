import { batches, count, type ImageSet, imageLength } from "../data/images.ts";
import type { Stamp } from "../models/predict.ts";
import type { RunContext } from "../runtime/context.ts";

/** How similar an inverted trigger is to the true one, as means over images (Section V-F). */
export interface Fidelity {
  /** Cosine between the two changes of an image, in [−1,1]. */
  readonly cosine: number;
  /** Pixels that both change over pixels that one changes, in [0,1]. */
  readonly iou: number;
  /** Of the image marked with one against that marked with the other, in dB; images have the range [0,1]. */
  readonly psnr: number;
}

/** A pixel counts as changed if a channel moves by more than this, a sixteenth of the range. */
const VISIBLE = 1 / 16;

/** Compares what two triggers do to the same images. */
export async function fidelity(
  images: ImageSet,
  inverted: Stamp,
  truth: Stamp,
  { signal }: Pick<RunContext, "signal"> = {},
): Promise<Fidelity> {
  const length = imageLength(images);
  const plane = images.height * images.width;
  const sums = { cosine: 0, iou: 0, psnr: 0 };
  for (const batch of batches(images, Math.min(100, count(images)), signal)) {
    const found = await inverted(batch.images, batch.indices);
    const wanted = await truth(batch.images, batch.indices);
    for (let row = 0; row < batch.valid; row++) {
      const of = ({ data }: { readonly data: Float32Array }) =>
        data.subarray(row * length, (row + 1) * length);
      const one = compare(of(batch.images), of(found), of(wanted), plane);
      sums.cosine += one.cosine;
      sums.iou += one.iou;
      sums.psnr += one.psnr;
    }
  }
  const n = count(images);
  return { cosine: sums.cosine / n, iou: sums.iou / n, psnr: sums.psnr / n };
}

/** One image [C,H,W] as it is, with the inverted trigger, and with the true one. */
function compare(
  image: Float32Array,
  found: Float32Array,
  wanted: Float32Array,
  plane: number,
): Fidelity {
  let [product, foundSquare, wantedSquare, error] = [0, 0, 0, 0];
  const changed = [new Uint8Array(plane), new Uint8Array(plane)] as const;
  for (let i = 0; i < image.length; i++) {
    const [a, b] = [found[i]! - image[i]!, wanted[i]! - image[i]!];
    product += a * b;
    foundSquare += a * a;
    wantedSquare += b * b;
    error += (a - b) ** 2;
    if (Math.abs(a) > VISIBLE) changed[0][i % plane] = 1;
    if (Math.abs(b) > VISIBLE) changed[1][i % plane] = 1;
  }
  let [both, either] = [0, 0];
  for (let pixel = 0; pixel < plane; pixel++) {
    both += changed[0][pixel]! & changed[1][pixel]!;
    either += changed[0][pixel]! | changed[1][pixel]!;
  }
  const norm = Math.sqrt(foundSquare * wantedSquare);
  // Two triggers that change nothing are alike; of equal images the PSNR is that of one 8-bit step.
  return {
    cosine: norm === 0 ? Number(foundSquare === wantedSquare) : product / norm,
    iou: either === 0 ? 1 : both / either,
    psnr: -10 * Math.log10(Math.max(error / image.length, 1 / 255 ** 2)),
  };
}
