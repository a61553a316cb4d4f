import { AntidoteError } from "../../core/errors.ts";
import { type FloatTensor, float32 } from "../../core/tensor.ts";
import { GraphBuilder } from "../../onnx/builder.ts";
import { type Graph, openBatch } from "../../onnx/graph.ts";
import { appendPreprocessing, type Preprocessing } from "../preprocessing.ts";
import type { ClipShape } from "./config.ts";
import { imageTower } from "./image-tower.ts";
import { unitLength } from "./layers.ts";
import { mergeClassEmbedding } from "./weights.ts";

/** Name of the linear head's weight, [K,projection]. */
export const HEAD = "text_embeddings";

/**
 * The weight of the linear layer that makes a classifier of the image tower (Radford et al. 2021, section 3.1.2): for
 * each class the mean of its prompts' embeddings, brought to length 1, times e^logitScale. Its product with an image
 * embedding of length 1 is the cosine of the two, in units of the temperature that the model was trained with.
 * @param embeddings of all prompts, each of length 1, class after class: [K·prompts,p]
 * @param logitScale natural logarithm of the factor
 * @returns [K,p]
 * @throws `MODEL_NOT_FINITE` for a factor beyond all bounds, or embeddings of which nothing is left
 */
export function zeroShotHead(
  embeddings: FloatTensor,
  prompts: number,
  logitScale: number,
): FloatTensor {
  const [rows, width] = embeddings.shape as [number, number];
  const classes = rows / prompts;
  const factor = Math.exp(logitScale);
  const weight = new Float32Array(classes * width);
  for (let c = 0; c < classes; c++) {
    const sum = new Float64Array(width);
    for (let i = 0; i < prompts * width; i++) {
      sum[i % width]! += embeddings.data[c * prompts * width + i]!;
    }
    const length = Math.hypot(...sum);
    for (let i = 0; i < width; i++) weight[c * width + i] = (factor * sum[i]!) / length;
  }
  if (weight.every(Number.isFinite)) return float32([classes, width], weight);
  throw new AntidoteError("MODEL_NOT_FINITE", "The model's text embeddings are not finite.", {
    place: "logit_scale",
    next: "The file is damaged or its training diverged: use an intact checkpoint.",
  });
}

/**
 * CLIP's image tower with a linear head. The latent, the head's input, is the image embedding brought to length 1.
 * @param parameters of the image tower, named as in the library transformers
 * @param head [K,projection]
 * @param preprocessing with which the graph begins
 * @returns a graph with the input `input` [N,3,size,size], R,G,B in [0,1], and the output `logits` [N,K], for any N
 */
export function clipClassifier(
  shape: ClipShape,
  parameters: ReadonlyMap<string, FloatTensor>,
  head: FloatTensor,
  preprocessing: Preprocessing,
): Graph {
  const b = new GraphBuilder("clip/");
  const merged = mergeClassEmbedding(parameters);
  const at = (name: string) => b.constant(merged.get(name)!, name);
  const { size } = shape.image;
  const input = b.input("input", "float32", [1, 3, size, size]); // [N,3,S,S]
  const prepared = appendPreprocessing(b, input, preprocessing);
  const latent = unitLength(b, imageTower({ b, at }, prepared, shape)); // [N,p]
  const result = { type: latent.type, shape: [1, head.shape[0]!] };
  b.output("logits", b.op("Gemm", [latent, b.constant(head, HEAD)], { transB: 1 }, result));
  return openBatch(b.build());
}
