import { float32 } from "../../core/tensor.ts";
import type { Value } from "../../onnx/graph.ts";
import type { ClipShape } from "./config.ts";
import { encoder, type Layers, layerNorm, projection } from "./layers.ts";
import { TEXT_TOWER } from "./parameters.ts";

/** A score that softmax takes for −∞. */
const NEVER = -1e30;

/**
 * Writes CLIP's text tower, a transformer in which no position attends to later ones (Radford et al. 2021, section
 * 2.4). A text's embedding is that of its first `end` token, so what follows that token changes nothing.
 * @param tokens [N,L] int64, L at most the number of positions
 * @param end the token that ends every text
 * @returns embeddings, not normalised, [N,projection]
 */
export function textTower(layers: Layers, tokens: Value, { text }: ClipShape, end: number): Value {
  const { b, at } = layers;
  const [, length] = tokens.shape as [number, number];
  const table = at(`${TEXT_TOWER}.embeddings.token_embedding.weight`); // [V,d]
  const positions = at(`${TEXT_TOWER}.embeddings.position_embedding.weight`); // [positions,d]
  const embedded = b.add(b.gather(table, tokens), b.slice(positions, [0], [0], [length])); // [N,L,d]
  const later = Float32Array.from({ length: length * length }, (_, i) =>
    i % length > Math.floor(i / length) ? NEVER : 0,
  );
  const mask = b.constant(float32([length, length], later));
  const hidden = encoder(layers, `${TEXT_TOWER}.encoder`, embedded, text, mask); // [N,L,d]
  const normed = layerNorm(layers, `${TEXT_TOWER}.final_layer_norm`, hidden, text.epsilon);
  const isEnd = b.cast(b.equal(tokens, b.ints([end])), "int64"); // [N,L]
  const place = b.oneHot(b.argMax(isEnd, 1), length); // [N,L], 1 at the first end
  const pooled = b.sum(b.mul(normed, b.reshape(place, [...place.shape, 1])), [1]); // [N,d]
  return projection(layers, "text_projection", pooled);
}
