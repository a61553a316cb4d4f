import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import type { DataType, Tensor } from "../../src/core/tensor.ts";
import { encodeGraph } from "../../src/onnx/encode.ts";
import type { StaticGraph } from "../../src/onnx/graph.ts";

type Tensors = Readonly<Record<string, Tensor>>;
type Run = (feeds: Tensors) => Promise<Record<string, Tensor>>;

/** Compiles a graph on ONNX Runtime in this process, with all its optimisations, on one thread. */
export async function compile(graph: StaticGraph): Promise<Run> {
  const session = await InferenceSession.create(encodeGraph(graph), {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  return async (feeds) => {
    const tensors = Object.entries(feeds).map(
      ([name, { type, data, shape }]) =>
        [name, new OrtTensor(type as "float32", data as Float32Array, shape)] as const,
    );
    const results = await session.run(Object.fromEntries(tensors));
    return Object.fromEntries(
      Object.entries(results).map(([name, { type, data, dims }]) => [
        name,
        { type: type as DataType, shape: [...dims], data: data as Float32Array } as Tensor,
      ]),
    );
  };
}

/** Runs a graph once. */
export async function execute(graph: StaticGraph, feeds: Tensors): Promise<Record<string, Tensor>> {
  const run = await compile(graph);
  return run(feeds);
}
