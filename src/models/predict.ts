import type { FloatTensor } from "../core/tensor.ts";
import { batches, count, type ImageSet } from "../data/images.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import type { Device } from "../runtime/device.ts";
import type { Classifier } from "./classifier.ts";

/**
 * Changes images in [0,1] before a network sees them: a batch [B,C,H,W] that stays as it is, and the
 * position of each valid row in its set (what is drawn for an image depends on that, not on the batch it
 * comes in). It never learns a label.
 */
export type Stamp = (
  images: FloatTensor,
  positions: ArrayLike<number>,
) => FloatTensor | Promise<FloatTensor>;

export interface Predictions {
  /** Class scores, [N,K] row after row. */
  readonly logits: Float32Array;
  /** Class of the highest score, [N]. */
  readonly classes: Int32Array;
}

export interface PredictOptions {
  readonly stamp?: Stamp;
  readonly signal?: AbortSignal | undefined;
  /** Called after every batch with the number of images that are done. */
  readonly progress?: (done: number) => void;
}

/** A compiled network that only predicts. */
export interface Predictor {
  predict(set: ImageSet, options?: PredictOptions): Promise<Predictions>;
  /** Predicts one full batch [B,C,H,W] in [0,1]. */
  predictBatch(images: FloatTensor, signal?: AbortSignal): Promise<Predictions>;
  release(): Promise<void>;
}

/** Compiles the classifier for prediction in batches. */
export async function compilePredictor(
  device: Device,
  classifier: Classifier,
  batchSize = 100,
): Promise<Predictor> {
  const { channels, height, width } = classifier.image;
  const b = new GraphBuilder();
  const x = b.input("images", "float32", [batchSize, channels, height, width]); // [B,C,H,W]
  const { logits } = classifier.append(b, await classifier.at(batchSize), x, "model/");
  b.output("logits", logits);
  const program = await device.compile(b.build());
  const classes = classifier.classes;

  const predictBatch = async (images: FloatTensor, signal?: AbortSignal): Promise<Predictions> => {
    const outputs = await program.run({ images }, { signal });
    const scores = outputs["logits"]!.data as Float32Array; // [B,K]
    return { logits: scores, classes: argMaxRows(scores, classes) };
  };

  return {
    predictBatch,
    async predict(set, { stamp, signal, progress } = {}) {
      const all = new Float32Array(count(set) * classes); // [N,K]
      let row = 0;
      for (const batch of batches(set, batchSize, signal)) {
        const images = stamp ? await stamp(batch.images, batch.indices) : batch.images;
        const { logits: scores } = await predictBatch(images, signal);
        all.set(scores.subarray(0, batch.valid * classes), row * classes);
        row += batch.valid;
        progress?.(row);
      }
      return { logits: all, classes: argMaxRows(all, classes) };
    },
    release: () => program.release(),
  };
}

/** Predicts once: compile, run, release. */
export async function predict(
  device: Device,
  classifier: Classifier,
  set: ImageSet,
  options: PredictOptions = {},
): Promise<Predictions> {
  const predictor = await compilePredictor(device, classifier, Math.min(100, count(set)));
  try {
    return await predictor.predict(set, options);
  } finally {
    await predictor.release();
  }
}

/** Position of the largest entry of every row of a matrix [N,K]; the first one of equals. */
export function argMaxRows(values: Float32Array, columns: number): Int32Array {
  const best = new Int32Array(values.length / columns);
  for (let row = 0; row < best.length; row++) {
    const start = row * columns;
    let at = 0;
    for (let column = 1; column < columns; column++) {
      if (values[start + column]! > values[start + at]!) at = column;
    }
    best[row] = at;
  }
  return best;
}
