import * as ort from "onnxruntime-node";
import { type DataType, sizeOf, type Tensor } from "../../src/core/tensor.ts";
import { encodeGraph } from "../../src/onnx/encode.ts";
import type { Graph, StaticGraph, Value } from "../../src/onnx/graph.ts";

type Tensors = Readonly<Record<string, Tensor>>;

/** Runs a model, as a path or as bytes, on ONNX Runtime without any graph optimisation. */
export async function runModel(
  model: string | Uint8Array,
  feeds: Tensors,
): Promise<Record<string, Tensor>> {
  const options: ort.InferenceSession.SessionOptions = {
    graphOptimizationLevel: "disabled",
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  };
  const session = await (typeof model === "string"
    ? ort.InferenceSession.create(model, options)
    : ort.InferenceSession.create(model, options));
  try {
    const results = await session.run(
      Object.fromEntries(
        Object.entries(feeds).map(([name, { type, data, shape }]) => [
          name,
          new ort.Tensor(type as "float32", data as Float32Array, shape),
        ]),
      ),
    );
    return Object.fromEntries(
      Object.entries(results).map(([name, { type, data, dims }]) => [
        name,
        { type: type as DataType, shape: [...dims], data: data as Float32Array } as Tensor,
      ]),
    );
  } finally {
    await session.release();
  }
}

/** Runs an imported graph the same way. `like` gives the types and shapes of its outputs. */
export function runGraph(
  graph: Graph,
  feeds: Tensors,
  like: Tensors,
): Promise<Record<string, Tensor>> {
  const value = (name: string, { type, shape }: Tensor): Value => ({ name, type, shape });
  const inputs = graph.inputs.map(({ name }) => value(name, feeds[name]!));
  const outputs = Object.entries(like).map(([name, tensor]) => value(name, tensor));
  const values = new Map([...inputs, ...outputs].map((it) => [it.name, it]));
  const fixed: StaticGraph = { ...graph, inputs, values };
  return runModel(encodeGraph(fixed), feeds);
}

/** Values in (-1, 1) that differ from one another, the same on every run. */
export function sample(shape: readonly number[], from = 1): Tensor<"float32"> {
  const data = Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(from + 1.7 * i));
  return { type: "float32", shape, data };
}
