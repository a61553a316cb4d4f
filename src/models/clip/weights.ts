import { invariant } from "../../core/errors.ts";
import { type FloatTensor, float32 } from "../../core/tensor.ts";
import { IMAGE_TOWER } from "./parameters.ts";

/**
 * The parameters with the class embedding added to the first row of the position embedding, and without it: the image
 * tower knows nothing but this sum, so its graph trains one parameter instead of two that do the same.
 */
export function mergeClassEmbedding(
  parameters: ReadonlyMap<string, FloatTensor>,
): Map<string, FloatTensor> {
  const merged = new Map(parameters);
  const ofClass = `${IMAGE_TOWER}.embeddings.class_embedding`;
  const ofPosition = `${IMAGE_TOWER}.embeddings.position_embedding.weight`;
  const [added, positions] = [parameters.get(ofClass), parameters.get(ofPosition)]; // [d], [1+P,d]
  invariant(added && positions, "a CLIP model has both embeddings");
  const sums = positions.data.slice();
  added.data.forEach((value, i) => {
    sums[i]! += value;
  });
  merged.delete(ofClass);
  merged.set(ofPosition, float32(positions.shape, sums));
  return merged;
}
