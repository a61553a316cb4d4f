import { AntidoteError } from "../core/errors.ts";
import { toNumbers } from "../core/tensor.ts";
import type { OnnxFile } from "./file.ts";
import { plainDomain } from "./opset.ts";
import {
  type FunctionProto,
  FunctionProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
} from "./proto/generated/onnx_pb.ts";
import { altered, namesRead } from "./subgraphs.ts";
import { decodeTensor } from "./tensors.ts";

/** A file that computes as in use, and how many of its nodes computed as in training, by operator. */
export interface EvaluationMode {
  readonly file: OnnxFile;
  readonly switched: ReadonlyMap<string, number>;
}

/** What the nodes of a graph or a function have around them. */
interface Scope {
  /** Tensors that are stored, by name. */
  readonly stored: ReadonlyMap<string, TensorProto>;
  /** Tensors that a caller gives. */
  readonly given: ReadonlySet<string>;
  /** Tensors that something reads. */
  readonly used: ReadonlySet<string>;
  /** Tensors that no input decides. */
  readonly fixed: ReadonlySet<string>;
}

/** Operators that pass a stored tensor on; equal ones are stored once and shared through Identity. */
const PASSING = new Set(["Identity", "Cast"]);

/**
 * A file in evaluation mode, as `model.eval()` before the export would have made it: batch normalisation takes its
 * running statistics, not those of the batch, and dropout drops nothing. A file that is so already is returned itself.
 * @throws `MODEL_UNSUPPORTED_OPERATOR` if there are no running statistics, or something reads what only training makes
 */
export function evaluationMode(file: OnnxFile): EvaluationMode {
  const { model } = file;
  const switched = new Map<string, number>();
  const switchAll = (nodes: readonly NodeProto[], scope: Scope): NodeProto[] =>
    nodes.map((node) => {
      const inUse = switchNode(node, scope);
      if (inUse !== node) switched.set(node.opType, (switched.get(node.opType) ?? 0) + 1);
      return inUse;
    });
  const graph =
    model.graph &&
    altered(GraphProtoSchema, model.graph, {
      node: switchAll(model.graph.node, scopeOfGraph(model.graph)),
    });
  const functions = model.functions.map((it) =>
    altered(FunctionProtoSchema, it, { node: switchAll(it.node, scopeOfFunction(it)) }),
  );
  if (switched.size === 0) return { file, switched };
  return {
    file: { ...file, model: altered(ModelProtoSchema, model, { graph, functions }) },
    switched,
  };
}

function scopeOfGraph({ node, initializer, output }: GraphProto): Scope {
  return {
    stored: storedTensors(node, initializer),
    given: new Set(),
    used: usedNames(
      node,
      output.map(({ name }) => name),
    ),
    fixed: fixedTensors(node, initializer),
  };
}

function scopeOfFunction({ node, input, output }: FunctionProto): Scope {
  return {
    ...{ stored: storedTensors(node, []), given: new Set(input) },
    ...{ used: usedNames(node, output), fixed: fixedTensors(node, []) },
  };
}

function fixedTensors(
  nodes: readonly NodeProto[],
  initializers: readonly TensorProto[],
): Set<string> {
  const fixed = new Set(initializers.map(({ name }) => name));
  for (const node of nodes) {
    const read = namesRead(node).filter((name) => name !== "");
    if (read.every((name) => fixed.has(name))) for (const name of node.output) fixed.add(name);
  }
  return fixed;
}

function storedTensors(
  nodes: readonly NodeProto[],
  initializers: readonly TensorProto[],
): Map<string, TensorProto> {
  const stored = new Map(initializers.map((tensor) => [tensor.name, tensor]));
  for (const { opType, domain, input, output, attribute } of nodes) {
    if (plainDomain(domain) !== "") continue;
    const tensor =
      opType === "Constant"
        ? attribute.find(({ name }) => name === "value")?.t
        : PASSING.has(opType) && stored.get(input[0]!);
    if (tensor) stored.set(output[0]!, tensor);
  }
  return stored;
}

function usedNames(nodes: readonly NodeProto[], outputs: readonly string[]): Set<string> {
  return new Set([...nodes.flatMap(namesRead), ...outputs]);
}

/**
 * Whether a node standardises a weight by the weight's own statistics, as timm's StdConv does: no image is in them. With a momentum
 * of 1 it leaves what it is given as running statistics as it is.
 */
function standardisesWeight({ input, attribute }: NodeProto, { fixed }: Scope): boolean {
  const momentum = attribute.find(({ name }) => name === "momentum");
  return fixed.has(input[0]!) && momentum?.f === 1;
}

/** The node itself if it computes as in use. */
function switchNode(node: NodeProto, scope: Scope): NodeProto {
  if (plainDomain(node.domain) !== "") return node;
  if (node.opType === "BatchNormalization" && takesBatchStatistics(node)) {
    return standardisesWeight(node, scope) ? node : withRunningStatistics(node, scope);
  }
  // Off unless its third input is true (since opset 12).
  const training = node.opType === "Dropout" && scope.stored.get(node.input[2] ?? "");
  if (!training || toNumbers(decodeTensor(training))[0] === 0) return node;
  return altered(NodeProtoSchema, node, { input: node.input.slice(0, 2) });
}

/** An attribute says so since opset 14; until then, more outputs than one did. */
function takesBatchStatistics({ attribute, output }: NodeProto): boolean {
  const mode = attribute.find(({ name }) => name === "training_mode");
  return mode?.i === 1n || output.slice(1).some((name) => name !== "");
}

function withRunningStatistics(node: NodeProto, { stored, given, used }: Scope): NodeProto {
  const needed = node.output.slice(1).find((name) => name !== "" && used.has(name));
  if (needed !== undefined) {
    throw unsupported(node, `returns "${needed}", which only training needs`, EVALUATION_ADVICE);
  }
  if (!node.input.slice(3, 5).every((name) => stored.has(name) || given.has(name))) {
    throw unsupported(
      node,
      "takes the statistics of each batch, so that an answer depends on the other images",
      "Train it with running statistics (`track_running_stats=True`), and export it after `model.eval()`.",
    );
  }
  return altered(NodeProtoSchema, node, {
    output: node.output.slice(0, 1),
    attribute: node.attribute.filter(({ name }) => name !== "training_mode"),
  });
}

const EVALUATION_ADVICE = "Call `model.eval()` before the export.";

function unsupported(node: NodeProto, problem: string, next: string): AntidoteError {
  const name = node.name || node.output[0]!;
  const message = `The ${node.opType} node "${name}" ${problem}.`;
  return new AntidoteError("MODEL_UNSUPPORTED_OPERATOR", message, { place: name, next });
}
