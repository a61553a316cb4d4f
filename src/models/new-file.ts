import { encodeGraph } from "../onnx/encode.ts";
import { exportModel } from "../onnx/export.ts";
import type { OnnxFile } from "../onnx/file.ts";
import type { GraphInput } from "../onnx/graph.ts";
import { storeInHalf } from "../onnx/halve.ts";
import { parseModel } from "../onnx/parse.ts";
import type { Classifier } from "./classifier.ts";

/**
 * A model file for a classifier that was built here rather than read from a file: its graph for any batch
 * size, with its current weights.
 * @param path where it is going to be written
 * @param metadata entries of `metadata_props`, such as the names of the classes
 * @param storage type in which weights are stored; they are computed with as float32
 */
export function newModelFile(
  path: string,
  classifier: Classifier,
  metadata: Readonly<Record<string, string>>,
  storage: "float32" | "float16" = "float32",
): OnnxFile {
  const { graph, changes, classes } = classifier;
  const outputs = graph.outputs.map((name): [string, GraphInput] => [
    name,
    { name, type: "float32", shape: [null, classes] },
  ]);
  const bytes = encodeGraph({
    ...graph,
    constants: new Map([...graph.constants, ...changes]),
    values: new Map(outputs),
  });
  const model = parseModel(bytes, path);
  if (storage === "float16") storeInHalf(model);
  return exportModel({ path, model }, new Map(), metadata);
}
