import { AntidoteError } from "../core/errors.ts";
import { ELEMENT_BYTES, fromBytes, type Shape, sizeOf, type Tensor } from "../core/tensor.ts";
import type { Graph, StaticGraph, Value } from "../onnx/graph.ts";
import type { Device, Tensors } from "./device.ts";

/** A graph whose inputs have their shapes, while what the nodes make is still unknown. */
export interface SizedGraph extends Graph {
  readonly inputs: readonly Value[];
}

/**
 * A graph for one batch size.
 * @param batch written into the first axis of the first input, and of others where it is open
 * @throws `MODEL_INVALID` where other extents are open; `MODEL_TOO_LARGE`
 */
export function withBatch(graph: Graph, batch: number): SizedGraph {
  const inputs = graph.inputs.map(({ name, type, shape }, i) => {
    const extents = shape.map((extent, axis) =>
      axis === 0 && (i === 0 || extent === null) ? batch : known(name, extent),
    );
    if (sizeOf(extents.slice(1)) > MAX_ENTRIES || sizeOf(extents) > MAX_BATCH_ENTRIES) {
      throw tooLarge(name, extents);
    }
    return { name, type, shape: extents };
  });
  return { ...graph, inputs };
}

/** Entries of an input for one image: of three colours, one of 9000 pixels a side. */
const MAX_ENTRIES = 2 ** 28;

/** The same for a batch. */
const MAX_BATCH_ENTRIES = 2 ** 31;

function tooLarge(name: string, extents: Shape): AntidoteError {
  const size = extents.join("×");
  return new AntidoteError("MODEL_TOO_LARGE", `The input "${name}" takes ${size} numbers.`, {
    place: name,
    next: "Export the model for smaller images.",
  });
}

function known(input: string, extent: number | null): number {
  if (extent !== null) return extent;
  throw new AntidoteError("MODEL_INVALID", `The size of the input "${input}" is not fixed.`, {
    place: input,
    next: "Give the image size, or export the model with a fixed one.",
  });
}

/** What the outputs of a graph are where its inputs are zeros. */
export async function runOnZeros(graph: SizedGraph, device: Device): Promise<Tensors> {
  await using program = await device.compile(withOutputs(graph, graph.outputs));
  return await program.run(zeroFeeds(graph));
}

/** The graph with other outputs, ready to be compiled. */
export function withOutputs(graph: SizedGraph, outputs: readonly string[]): StaticGraph {
  return { ...graph, outputs, values: new Map() };
}

/** Zeros for every input. */
export function zeroFeeds({ inputs }: SizedGraph): Record<string, Tensor> {
  return Object.fromEntries(
    inputs.map(({ name, type, shape }) => {
      const bytes = new Uint8Array(sizeOf(shape) * ELEMENT_BYTES[type]);
      return [name, fromBytes(type, shape, bytes)];
    }),
  );
}
