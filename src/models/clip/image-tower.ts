import type { Value } from "../../onnx/graph.ts";
import { type ClipShape, patchesPerSide } from "./config.ts";
import { encoder, type Layers, layerNorm, projection, reshapeEach } from "./layers.ts";
import { IMAGE_TOWER } from "./parameters.ts";

/**
 * Writes CLIP's image tower, a vision transformer (Dosovitskiy et al. 2021) with one more normalisation before its
 * blocks (Radford et al. 2021, section 2.4). The class embedding and the first row of the position embedding occur as
 * their sum alone: `at` gives that sum for the latter (`mergeClassEmbedding`), and the former is not asked for.
 * @param x images as the network expects them, [N,3,size,size]
 * @returns embeddings, not normalised, [N,projection]
 */
export function imageTower(layers: Layers, x: Value, { image }: ClipShape): Value {
  const { b, at } = layers;
  const { width, patch, epsilon } = image;
  const patches = patchesPerSide(image) ** 2;
  const window = { strides: [patch, patch], dilations: [1, 1], pads: [0, 0, 0, 0] };
  const kernel = at(`${IMAGE_TOWER}.embeddings.patch_embedding.weight`); // [d,3,p,p]
  const planes = reshapeEach(b, b.conv(x, kernel, undefined, window), [width, patches]); // [N,d,P]
  const rows = b.transpose(planes, [0, 2, 1]); // [N,P,d]
  const positions = at(`${IMAGE_TOWER}.embeddings.position_embedding.weight`); // [1+P,d]
  const embedded = b.add(b.pad(rows, [0, 1, 0, 0, 0, 0]), positions); // [N,1+P,d]
  const before = layerNorm(layers, `${IMAGE_TOWER}.pre_layrnorm`, embedded, epsilon);
  const hidden = encoder(layers, `${IMAGE_TOWER}.encoder`, before, image); // [N,1+P,d]
  const first = reshapeEach(b, b.slice(hidden, [1], [0], [1]), [width]); // [N,d]
  const pooled = layerNorm(layers, `${IMAGE_TOWER}.post_layernorm`, first, epsilon);
  return projection(layers, "visual_projection", pooled);
}
