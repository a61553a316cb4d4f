import { batches, type ImageSet } from "../data/images.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import type { StaticGraph, Value } from "../onnx/graph.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Tensors } from "../runtime/device.ts";
import type { Classifier } from "./classifier.ts";

/**
 * Looks inside a network: what `outputs` computes from its tensors, for every full batch of images.
 * @param network the graph from `classifier.at(batchSize)`
 * @param outputs declares outputs; `tensor(name)` is a tensor of the network
 * @throws `RUNTIME_FAILED`, `RUNTIME_CRASHED`, `CANCELLED`
 */
export async function* observe(
  { device, signal }: Pick<RunContext, "device" | "signal">,
  classifier: Classifier,
  network: StaticGraph,
  images: ImageSet,
  batchSize: number,
  outputs: (b: GraphBuilder, tensor: (name: string) => Value) => void,
): AsyncGenerator<Tensors> {
  const { channels, height, width } = classifier.image;
  const b = new GraphBuilder();
  const x = b.input("images", "float32", [batchSize, channels, height, width]); // [B,C,H,W]
  const { tensor } = classifier.append(b, network, x, "model/");
  outputs(b, tensor);
  const program = await device.compile(b.build());
  try {
    for (const batch of batches(images, batchSize, signal)) {
      if (batch.valid < batchSize) break;
      yield await program.run({ images: batch.images }, { signal });
    }
  } finally {
    await program.release();
  }
}

/** The axes of [N,K,…] other than K, to reduce over. */
export function allButChannels({ shape }: Value): number[] {
  return shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
}
