import { z } from "zod";
import { sizeOf } from "../core/tensor.ts";
import type { Detector } from "../detectors/detector.ts";
import type { Classifier } from "../models/classifier.ts";
import type { StaticGraph } from "../onnx/graph.ts";
import type { Configured } from "./options.ts";

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

/** Images that may pass through a network together within a budget in GiB; at least one. */
export async function imagesFitting(model: Classifier, gibibytes: number): Promise<number> {
  const each = bytesPerImage(await model.at(COUNTED), COUNTED);
  return Math.max(1, Math.floor((gibibytes * 2 ** 30) / each));
}

/** The options by which detectors say how many images a step takes. */
const STEP = z.object({ images: z.number(), classesPerStep: z.number() });

/**
 * The detector with as many classes in a step as fit into a budget of memory, at most those that it has anyway. Classes
 * that share a step do not influence each other, so fewer of them change the order of work and nothing else.
 */
export async function fitting(
  { method, config }: Configured<Detector>,
  model: Classifier,
  gibibytes: number,
): Promise<Configured<Detector>> {
  const step = STEP.safeParse(config);
  if (!step.success) return { method, config };
  const networks = method.needsRepair ? 2 : 1;
  const most = (await imagesFitting(model, gibibytes)) / (networks * step.data.images);
  const classesPerStep = Math.max(1, Math.min(step.data.classesPerStep, Math.floor(most)));
  return { method, config: { ...config, classesPerStep } };
}
