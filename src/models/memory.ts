import { sizeOf } from "../core/tensor.ts";
import type { StaticGraph } from "../onnx/graph.ts";
import type { Classifier } from "./classifier.ts";

/** Bytes of a float32 value. */
const BYTES = 4;

/**
 * Memory of a step beside the activations of the forward pass: the slopes of the layers that are being differentiated,
 * and what convolutions unfold. Peak resident memory over Σ of activations.
 */
const BESIDE = 2;

/** Batch of the graph that activations are counted in: the classifier has it at hand. */
const COUNTED = 2;

/** Bytes that one image takes in a forward and a backward pass, about: 4·2·Σ of the extents of all tensors. */
export function bytesPerImage({ nodes, values }: StaticGraph, batch: number): number {
  const outputs = nodes.flatMap((node) => node.outputs).flatMap((name) => values.get(name) ?? []);
  const total = outputs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return (BYTES * BESIDE * total) / batch;
}

/** Images that may pass through networks together within so many bytes; at least one. */
export async function imagesFitting(models: readonly Classifier[], bytes: number): Promise<number> {
  let each = 0;
  for (const model of models) each += bytesPerImage(await model.at(COUNTED), COUNTED);
  return Math.max(1, Math.floor(bytes / each));
}

/**
 * Into how many equal parts a step must be divided that shows images to networks, so that each part keeps within a budget:
 * the fewest that divide the images; every part has at least one.
 * @param images of the whole step; where their number may be a little smaller, `batchFor` has fewer parts
 * @param bytes the budget; without one the step is not divided
 */
export async function partsOf(
  models: readonly Classifier[],
  images: number,
  bytes: number | undefined,
): Promise<number> {
  let parts = await fewestParts(models, images, bytes);
  while (images % parts !== 0) parts++;
  return parts;
}

/**
 * The same for a batch that may lack a few images, so that its size need not be a multiple of anything: a prime number of
 * images would fall apart into single ones.
 * @returns the size of the batch, at most `images`, and its parts
 */
export async function batchFor(
  models: readonly Classifier[],
  images: number,
  bytes: number | undefined,
): Promise<{ readonly size: number; readonly parts: number }> {
  const parts = await fewestParts(models, images, bytes);
  return { size: images - (images % parts), parts };
}

async function fewestParts(
  models: readonly Classifier[],
  images: number,
  bytes: number | undefined,
): Promise<number> {
  return bytes === undefined ? 1 : Math.ceil(images / (await imagesFitting(models, bytes)));
}
