import { count, type ImageSet } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import { predict } from "../models/predict.ts";
import type { RunContext } from "../runtime/context.ts";

/** log p(x) of the images as they are, in nats: [N,K] row after row. */
export async function logProbabilities(
  { device, signal }: RunContext,
  model: Classifier,
  images: ImageSet,
): Promise<Float32Array> {
  const { classes } = model;
  const { logits } = await predict(device, model, images, { signal });
  for (let row = 0; row < count(images); row++) {
    const scores = logits.subarray(row * classes, (row + 1) * classes);
    const largest = scores.reduce((a, b) => Math.max(a, b));
    // log p_c = z_c − log Σ_k exp(z_k)
    const total = scores.reduce((sum, score) => sum + Math.exp(score - largest), 0);
    const shift = largest + Math.log(total);
    scores.forEach((score, c) => {
      scores[c] = score - shift;
    });
  }
  return logits;
}
