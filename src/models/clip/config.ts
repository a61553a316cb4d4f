import { z } from "zod";

/** What decides the shapes inside one of the two transformers. */
export interface EncoderShape {
  /** Numbers that stand for one position. */
  readonly width: number;
  /** Numbers between the two linear layers of a block. */
  readonly inner: number;
  readonly layers: number;
  readonly heads: number;
  /** "quick_gelu" is x·σ(1.702x). */
  readonly activation: "quick_gelu" | "gelu";
  /** Added to variances in layer normalisations. */
  readonly epsilon: number;
}

/** What decides the shapes of a CLIP model. */
export interface ClipShape {
  /** The image tower: square images of `size` pixels a side, cut into square patches. */
  readonly image: EncoderShape & { readonly size: number; readonly patch: number };
  /** The text tower: `vocabulary` tokens at up to `positions` places. */
  readonly text: EncoderShape & { readonly vocabulary: number; readonly positions: number };
  /** Numbers in an embedding, of an image or a text. */
  readonly projection: number;
}

/** The largest public models have 1664 numbers a position, 48 layers and 16 heads. */
const width = z.int().min(1).max(16_384);
const layers = z.int().min(1).max(256);
const activation = z.enum(["quick_gelu", "gelu"]).default("quick_gelu");
const epsilon = z.number().min(0).max(1).default(1e-5);

/** Configurations leave out what is as in the library transformers. */
const TEXT = z
  .looseObject({
    hidden_size: width.default(512),
    intermediate_size: width.default(2048),
    num_hidden_layers: layers.default(12),
    num_attention_heads: width.default(8),
    hidden_act: activation,
    layer_norm_eps: epsilon,
    vocab_size: z.int().min(3).max(1_000_000).default(49_408),
    max_position_embeddings: z.int().min(3).max(16_384).default(77),
  })
  .refine(divides, "hidden_size must be a multiple of num_attention_heads");

const VISION = z
  .looseObject({
    hidden_size: width.default(768),
    intermediate_size: width.default(3072),
    num_hidden_layers: layers.default(12),
    num_attention_heads: width.default(12),
    hidden_act: activation,
    layer_norm_eps: epsilon,
    image_size: z.int().min(1).max(16_384).default(224),
    patch_size: z.int().min(1).max(16_384).default(32),
    num_channels: z.literal(3).default(3),
  })
  .refine(divides, "hidden_size must be a multiple of num_attention_heads")
  .refine((it) => it.patch_size <= it.image_size, "patch_size must not exceed image_size");

/**
 * `config.json` of a CLIP model in the layout of Hugging Face, as the shapes that it decides. The file is the word of
 * whoever made the model: every number is bounded, and the weights must have exactly these shapes.
 */
export const CLIP_CONFIG = z
  .looseObject({
    model_type: z.literal("clip"),
    projection_dim: width.default(512),
    text_config: TEXT.nullish().transform((it) => it ?? TEXT.parse({})),
    vision_config: VISION.nullish().transform((it) => it ?? VISION.parse({})),
  })
  .transform(
    ({ projection_dim, text_config: text, vision_config: vision }): ClipShape => ({
      image: { ...encoderShape(vision), size: vision.image_size, patch: vision.patch_size },
      text: {
        ...encoderShape(text),
        vocabulary: text.vocab_size,
        positions: text.max_position_embeddings,
      },
      projection: projection_dim,
    }),
  );

/** The patches of an image on one of its sides. */
export function patchesPerSide({ size, patch }: ClipShape["image"]): number {
  return Math.floor(size / patch);
}

interface Dimensions {
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly hidden_act: EncoderShape["activation"];
  readonly layer_norm_eps: number;
}

function divides(it: Pick<Dimensions, "hidden_size" | "num_attention_heads">): boolean {
  return it.hidden_size % it.num_attention_heads === 0;
}

function encoderShape(of: Dimensions): EncoderShape {
  return {
    width: of.hidden_size,
    inner: of.intermediate_size,
    layers: of.num_hidden_layers,
    heads: of.num_attention_heads,
    activation: of.hidden_act,
    epsilon: of.layer_norm_eps,
  };
}
