import type { Shape } from "../../core/tensor.ts";
import { type ClipShape, type EncoderShape, patchesPerSide } from "./config.ts";

/** What the names of the towers' parameters begin with. */
export const IMAGE_TOWER = "vision_model";
export const TEXT_TOWER = "text_model";

/** The factor of all logits, as its natural logarithm. */
export const LOGIT_SCALE = "logit_scale";

/** Names and shapes of the image tower's parameters, as in the library transformers. */
export function imageParameters({ image, projection }: ClipShape): Map<string, Shape> {
  const { width, patch } = image;
  const positions = patchesPerSide(image) ** 2 + 1;
  return new Map<string, Shape>([
    [`${IMAGE_TOWER}.embeddings.class_embedding`, [width]],
    [`${IMAGE_TOWER}.embeddings.patch_embedding.weight`, [width, 3, patch, patch]],
    [`${IMAGE_TOWER}.embeddings.position_embedding.weight`, [positions, width]],
    ...norm(`${IMAGE_TOWER}.pre_layrnorm`, width), // spelt so
    ...encoder(`${IMAGE_TOWER}.encoder`, image),
    ...norm(`${IMAGE_TOWER}.post_layernorm`, width),
    ["visual_projection.weight", [projection, width]],
  ]);
}

/** Names and shapes of the text tower's parameters, as in the library transformers. */
export function textParameters({ text, projection }: ClipShape): Map<string, Shape> {
  const { width, vocabulary, positions } = text;
  return new Map<string, Shape>([
    [`${TEXT_TOWER}.embeddings.token_embedding.weight`, [vocabulary, width]],
    [`${TEXT_TOWER}.embeddings.position_embedding.weight`, [positions, width]],
    ...encoder(`${TEXT_TOWER}.encoder`, text),
    ...norm(`${TEXT_TOWER}.final_layer_norm`, width),
    ["text_projection.weight", [projection, width]],
  ]);
}

/** Names and shapes of all parameters of a CLIP model. */
export function clipParameters(shape: ClipShape): Map<string, Shape> {
  return new Map<string, Shape>([
    [LOGIT_SCALE, []],
    ...textParameters(shape),
    ...imageParameters(shape),
  ]);
}

type Named = readonly (readonly [string, Shape])[];

function encoder(name: string, { width, inner, layers }: EncoderShape): Named {
  return Array.from({ length: layers }, (_, layer) => `${name}.layers.${layer}`).flatMap((at) => [
    ...["k_proj", "v_proj", "q_proj", "out_proj"].flatMap((part) =>
      linear(`${at}.self_attn.${part}`, width, width),
    ),
    ...norm(`${at}.layer_norm1`, width),
    ...linear(`${at}.mlp.fc1`, inner, width),
    ...linear(`${at}.mlp.fc2`, width, inner),
    ...norm(`${at}.layer_norm2`, width),
  ]);
}

function linear(name: string, outputs: number, inputs: number): Named {
  return [
    [`${name}.weight`, [outputs, inputs]],
    [`${name}.bias`, [outputs]],
  ];
}

function norm(name: string, width: number): Named {
  return [
    [`${name}.weight`, [width]],
    [`${name}.bias`, [width]],
  ];
}
