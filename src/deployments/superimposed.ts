import { float32 } from "../core/tensor.ts";
import { batches, count, type ImageSet, imageAt, imageLength } from "../data/images.ts";
import type { PredictOptions, Predictor } from "../models/predict.ts";

/** Rows of a batch of the predictor. */
export const BATCH = 100;

/** What is laid over an image, and how. */
export interface Superposition {
  /** Images to lay over others. */
  readonly trusted: ImageSet;
  /** Positions of the trusted images for the image at a position of its own set, as many for each. */
  readonly drawn: (position: number) => readonly number[];
  /** How many that are: N, at least 1. */
  readonly copies: number;
  /** "sum": x + t, at most 1. "mean": (x + t)/2. */
  readonly mixing: "sum" | "mean";
}

export interface Superimposed {
  /** Class of the image itself, [n]. */
  readonly classes: Int32Array;
  /** Mean entropy in bits of the predictions on its superpositions, [n]. */
  readonly entropies: Float64Array;
}

/**
 * Predicts every image and its superpositions (STRIP, Gao et al. 2019): with f the softmax,
 *
 *     H(x) = −1/N · Σ_n Σ_k f_k(x ⊕ t_n)·log₂ f_k(x ⊕ t_n)
 *
 * The N + 1 rows of an image follow those of the one before, so that only the last batch has empty rows.
 * @param predictor compiled for batches of `BATCH`
 * @param options `progress` is called after every batch with the number of images that are done
 */
export async function predictSuperimposed(
  predictor: Predictor,
  set: ImageSet,
  { trusted, drawn, copies, mixing }: Superposition,
  { stamp, signal, progress }: PredictOptions = {},
): Promise<Superimposed> {
  const classes = new Int32Array(count(set));
  const entropies = new Float64Array(count(set));
  const length = imageLength(set);
  const rows = float32(
    [BATCH, set.channels, set.height, set.width],
    new Float32Array(BATCH * length),
  );
  const perImage = copies + 1;
  let [done, filled] = [0, 0];
  const flush = async () => {
    const { logits, classes: answers } = await predictor.predictBatch(rows, signal);
    const width = logits.length / BATCH;
    for (let row = 0; row < filled; row++, done++) {
      const image = Math.floor(done / perImage);
      if (done % perImage === 0) classes[image] = answers[row]!;
      else {
        const scores = logits.subarray(row * width, (row + 1) * width);
        entropies[image]! += entropy(scores) / copies;
      }
    }
    filled = 0;
    progress?.(Math.floor(done / perImage));
  };
  for (const batch of batches(set, BATCH, signal)) {
    const { data } = stamp ? await stamp(batch.images, batch.indices) : batch.images; // [B,C,H,W]
    for (let at = 0; at < batch.valid; at++) {
      const image = data.subarray(at * length, (at + 1) * length);
      for (const over of [undefined, ...drawn(batch.indices[at]!)]) {
        const row = rows.data.subarray(filled * length, (filled + 1) * length);
        if (over === undefined) row.set(image);
        else superimpose(row, image, imageAt(trusted, over), mixing);
        if (++filled === BATCH) await flush();
      }
    }
  }
  if (filled > 0) await flush();
  return { classes, entropies };
}

/** Writes image ⊕ t with an image in [0,1] and t in 0 … 255. */
function superimpose(
  row: Float32Array,
  image: Float32Array,
  bytes: Uint8Array,
  mixing: Superposition["mixing"],
): void {
  const weight = mixing === "mean" ? 0.5 : 1;
  for (let i = 0; i < row.length; i++) {
    row[i] = Math.min(1, weight * (image[i]! + bytes[i]! / 255));
  }
}

/** Entropy in bits of the softmax of scores z: log₂ Σ exp z − Σ p·z/ln 2, all relative to the largest. */
export function entropy(scores: Float32Array): number {
  const largest = scores.reduce((a, b) => Math.max(a, b));
  let [total, weighted] = [0, 0];
  for (const score of scores) {
    const shifted = score - largest;
    total += Math.exp(shifted);
    weighted += Math.exp(shifted) * shifted;
  }
  return (Math.log(total) - weighted / total) / Math.LN2;
}
