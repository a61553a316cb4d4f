import { clone, create } from "@bufbuild/protobuf";
import { AntidoteError, invariant } from "../core/errors.ts";
import type { Tensor } from "../core/tensor.ts";
import type { OnnxFile } from "./file.ts";
import { readers } from "./import.ts";
import { plainDomain } from "./opset.ts";
import {
  type ModelProto,
  ModelProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
} from "./proto/generated/onnx_pb.ts";
import { replaceValues } from "./tensors.ts";

/**
 * The user's own model with other values in some of its constants. Nothing else changes: nodes, names,
 * inputs, types, manner of storage and fields that Antidote does not know are those of `file`.
 * @param weights by the names that `importGraph` gives them, float32 or of the stored type, in the
 *   stored shape
 * @param metadata entries added to `metadata_props`, in place of entries with the same key
 * @throws the error of `checkReplaceable`
 */
export function exportModel(
  file: OnnxFile,
  weights: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>>,
): OnnxFile {
  const model = clone(ModelProtoSchema, file.model);
  const stored = storedTensors(model);
  for (const [name, value] of weights) {
    replaceValues(stored.get(name) ?? irreplaceable(name), value);
  }
  for (const [key, value] of Object.entries(metadata)) {
    const entry = model.metadataProps.find((existing) => existing.key === key);
    if (entry) entry.value = value;
    else model.metadataProps.push(create(StringStringEntryProtoSchema, { key, value }));
  }
  return { path: file.path, model };
}

/**
 * Checks, before any work, that `exportModel` can replace weights.
 * @throws `MODEL_INVALID` if one is stored inside a function or a branch
 */
export function checkReplaceable({ model }: OnnxFile, weights: Iterable<string>): void {
  const stored = storedTensors(model);
  for (const name of weights) if (!stored.has(name)) irreplaceable(name);
}

function irreplaceable(name: string): never {
  throw new AntidoteError(
    "MODEL_INVALID",
    `The weight "${name}" is not stored in the model's main graph, so it cannot be replaced.`,
    {
      place: name,
      next: "Inline the model's functions (`onnx.inliner.inline_local_functions`), and export it without branches.",
    },
  );
}

/** Tensors that can be replaced, by the names that `importGraph` gives them. */
function storedTensors(model: ModelProto): Map<string, TensorProto> {
  invariant(model.graph, "a model without a graph cannot be read");
  const tensors = new Map(model.graph.initializer.map((tensor) => [tensor.name, tensor]));
  const reads = readers(model.graph.node);
  for (const { opType, domain, input, output, attribute } of model.graph.node) {
    if (plainDomain(domain) !== "") continue;
    // A weight that is stored in half precision is known by what its Cast makes of it.
    const narrow = opType === "Cast" ? tensors.get(input[0]!) : undefined;
    if (narrow && reads.get(input[0]!) === 1) tensors.set(output[0]!, narrow);
    const value = attribute.find(({ name }) => name === "value")?.t;
    if (opType === "Constant" && value) {
      tensors.set(output[0]!, value);
    }
  }
  return tensors;
}
