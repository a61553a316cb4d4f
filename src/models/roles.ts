import { AntidoteError } from "../core/errors.ts";
import type { Shape } from "../core/tensor.ts";
import {
  attribute,
  describe,
  graphValue,
  type Node,
  producers,
  type StaticGraph,
} from "../onnx/graph.ts";
import { OPEN_BATCH_ADVICE } from "../onnx/rebatch.ts";
import { EXPORT_ADVICE } from "./image-input.ts";
import { constantBehind } from "./parameters.ts";

/** The last linear layer: logits = head(latent). */
export interface Head {
  readonly op: "Gemm" | "MatMul" | "Conv";
  /** Constant that holds its weight matrix. */
  readonly weight: string;
}

/** Where a classifier keeps what every method needs. */
export interface Roles {
  /** Tensor of unnormalised class scores, [N,K] up to extents of 1. */
  readonly logits: string;
  /** What the file returns: the logits themselves, or their softmax. */
  readonly output: "logits" | "probabilities" | "log-probabilities";
  /** The output of the file that holds them. */
  readonly returned: string;
  /** Input of the last linear layer: [N,d], or a feature map that is averaged over its positions. */
  readonly latent: string;
  readonly head: Head;
  readonly classes: number;
}

const HEAD_ADVICE =
  "Use a network whose last layer is linear (Gemm, MatMul or 1×1 Conv) with a stored weight; sums, scales, means and batch norm may follow it.";

const TWO_SCORES_ADVICE =
  "Give each of the two classes a score: a last layer with the weight rows 0 and w, and the biases 0 and b, says the same; leave out a Sigmoid.";

const STORED_ADVICE =
  "Store what it computes as the layer's weight before the export, e.g. by `torch.nn.utils.remove_weight_norm`.";

const NORMALISERS: Readonly<Record<string, Roles["output"]>> = {
  Softmax: "probabilities",
  LogSoftmax: "log-probabilities",
};

/** Operators between the network proper and its output that change no value. */
const RESHAPING = new Set(["Flatten", "Reshape", "Squeeze", "Identity", "Dropout", "Cast"]);

/** Operators allowed between the last linear layer and the logits. */
const AFTER_HEAD = new Set([
  ...RESHAPING,
  "Unsqueeze",
  "Transpose",
  "Add",
  "Sum",
  "Mean",
  "Sub",
  "Mul",
  "Div",
  "Relu",
  "Clip",
  "GlobalAveragePool",
  "AveragePool",
  "ReduceMean",
  "BatchNormalization",
]);

/** Operators that make something else of class scores at the end of a network, which can be left out. */
const FINAL = new Set([
  "ArgMax",
  "TopK",
  ...Object.keys(NORMALISERS),
  "Sigmoid",
  "HardSigmoid",
  "Tanh",
  "Softsign",
  "Exp",
  "Log",
]);

/**
 * Finds logits, latent and last linear layer by walking up from the output.
 * @param outputName which output to use where the file has several
 * @throws `MODEL_NOT_A_CLASSIFIER`; `MODEL_INVALID` where the scores of several images are not told apart
 */
export function findRoles(graph: StaticGraph, outputName?: string): Roles {
  const made = producers(graph);
  const returned = chooseOutput(graph, made, outputName);
  const { logits, output } = withoutNormaliser(made, returned);
  const shape = graphValue(graph, logits).shape;
  const [batch] = graph.inputs[0]!.shape;
  if (shape[0] !== batch) {
    throw new AntidoteError(
      "MODEL_INVALID",
      `Of ${batch} images the output "${logits}" has the shape ${show(shape)}: it does not say which scores are whose.`,
      { place: logits, next: OPEN_BATCH_ADVICE },
    );
  }
  const classes = shape.slice(1).reduce((product, extent) => product * extent, 1);
  if (
    shape.length < 2 ||
    classes < 2 ||
    shape.slice(1).filter((extent) => extent > 1).length !== 1
  ) {
    throw notAClassifier(
      `The output "${logits}" has the shape ${show(shape)}; class scores [batch, classes] are expected.`,
      logits,
    );
  }
  const found = findHead(graph, made, logits);
  if (found instanceof AntidoteError) throw found;
  return { logits, output, returned, ...found, classes };
}

/** Class scores above a final softmax, and what the softmax makes of them. */
function withoutNormaliser(
  made: ReadonlyMap<string, Node>,
  returned: string,
): Pick<Roles, "logits" | "output"> {
  const node = made.get(unshaped(made, returned));
  const output = node && NORMALISERS[node.op];
  return output ? { logits: node.inputs[0]!, output } : { logits: returned, output: "logits" };
}

/** The tensor whose values a tensor has, in another shape. */
function unshaped(made: ReadonlyMap<string, Node>, name: string): string {
  let current = name;
  for (let node = made.get(current); node && RESHAPING.has(node.op); node = made.get(current)) {
    current = node.inputs[0]!;
  }
  return current;
}

function chooseOutput(
  graph: StaticGraph,
  made: ReadonlyMap<string, Node>,
  wanted: string | undefined,
): string {
  if (wanted !== undefined) {
    if (graph.outputs.includes(wanted)) return wanted;
    throw new AntidoteError(
      "MODEL_NOT_A_CLASSIFIER",
      `The model has no output "${wanted}"; it has ${graph.outputs.join(", ")}.`,
      { place: wanted, next: "Name one of these: --output NAME (results go where --out says)." },
    );
  }
  const scores = graph.outputs.filter((name) => {
    const value = graph.values.get(name);
    return (
      value?.type === "float32" && value.shape.slice(1).filter((extent) => extent > 1).length === 1
    );
  });
  const [only, ...others] = withoutCompanions(graph, made, scores);
  if (only !== undefined && others.length === 0) return only;
  const shapes = graph.outputs.map(
    (name) => `${name} ${show(graph.values.get(name)?.shape ?? [])}`,
  );
  const message = `The model's class scores cannot be told among its outputs: ${shapes.join(", ")}.`;
  if (only === undefined) {
    const [first] = graph.outputs as [string];
    throw notAClassifier(message, first, outputAdvice(graph, made, first));
  }
  const choices = [only, ...others].map((name) => `--output ${name}`).join(" or ");
  throw new AntidoteError("MODEL_NOT_A_CLASSIFIER", message, {
    place: only,
    next: `Name the one with the class scores (${choices}), or export the classifier with it alone.`,
  });
}

/** What to do about an output that holds no class scores. */
function outputAdvice(graph: StaticGraph, made: ReadonlyMap<string, Node>, name: string): string {
  const last = made.get(unshaped(made, name))?.op ?? "";
  const extents = graph.values.get(name)?.shape.slice(1) ?? [];
  const isOneScore = extents.length > 0 && extents.every((extent) => extent === 1);
  if (isOneScore && last !== "ArgMax") return TWO_SCORES_ADVICE;
  return FINAL.has(last) ? withoutFinal(last) : EXPORT_ADVICE;
}

function withoutFinal(op: string): string {
  return `Export the classifier without the final ${op}: its logits are wanted.`;
}

/** Outputs less those that another one implies: the softmax of logits, and the latent that they are computed from. */
function withoutCompanions(
  graph: StaticGraph,
  made: ReadonlyMap<string, Node>,
  names: readonly string[],
): string[] {
  const outputs = names.map((name) => ({ name, ...withoutNormaliser(made, name) }));
  const implied = outputs.flatMap(({ logits, output }) => {
    const source = unshaped(made, logits);
    const normalised = outputs.filter(
      (other) => other.output !== output && unshaped(made, other.logits) === source,
    );
    const found = findHead(graph, made, logits);
    const latent = found instanceof AntidoteError ? undefined : unshaped(made, found.latent);
    return [
      ...(output === "logits" ? normalised : []),
      ...outputs.filter(({ name }) => unshaped(made, name) === latent),
    ];
  });
  return names.filter((name) => !implied.some((it) => it.name === name));
}

/**
 * The last linear layer above a tensor. Scores that are the sum or mean of several heads (networks trained
 * by distillation have two) are described by the first of them.
 * @returns an error that says why there is none
 */
function findHead(
  graph: StaticGraph,
  made: ReadonlyMap<string, Node>,
  logits: string,
): Pick<Roles, "latent" | "head"> | AntidoteError {
  const waiting = [logits];
  const seen = new Set<string>();
  let problem: AntidoteError | undefined;
  for (let current = waiting.shift(); current !== undefined; current = waiting.shift()) {
    if (seen.has(current)) continue;
    seen.add(current);
    const node = made.get(current);
    const linear = node && linearLayer(graph, made, node);
    if (linear) return linear;
    const branches = (node?.inputs ?? []).filter(
      (name) => name !== "" && constantBehind(graph, made, name) === undefined,
    );
    const found = obstacle(node, branches, logits);
    if (found) problem ??= found;
    else waiting.unshift(...branches);
  }
  return problem ?? notAClassifier(NO_HEAD, logits, HEAD_ADVICE);
}

const NO_HEAD = "No linear layer lies between the input and the class scores.";

/** Why the search for a head cannot go on above a node. */
function obstacle(
  node: Node | undefined,
  branches: readonly string[],
  logits: string,
): AntidoteError | undefined {
  if (!node) return notAClassifier(NO_HEAD, logits, HEAD_ADVICE);
  if (branches.length > 1 && isLinear(node.op)) {
    return notAClassifier(
      `The weight of the last layer, ${describe(node)}, is computed, not stored.`,
      node.name,
      STORED_ADVICE,
    );
  }
  if (!AFTER_HEAD.has(node.op)) {
    return notAClassifier(
      `The class scores do not come from a linear layer: ${describe(node)} lies between.`,
      node.name,
      FINAL.has(node.op) ? withoutFinal(node.op) : HEAD_ADVICE,
    );
  }
  if (branches.length > 1 && !SUMS.has(node.op)) {
    return notAClassifier(
      `The class scores come from several branches at ${describe(node)}.`,
      node.name,
      HEAD_ADVICE,
    );
  }
  return undefined;
}

function isLinear(op: string): op is Head["op"] {
  return op === "Gemm" || op === "MatMul" || op === "Conv";
}

/** Operators that join the scores of several heads. */
const SUMS = new Set(["Add", "Sum", "Mean"]);

function linearLayer(
  graph: StaticGraph,
  made: ReadonlyMap<string, Node>,
  node: Node,
): Pick<Roles, "latent" | "head"> | undefined {
  if (!isLinear(node.op)) return undefined;
  if (node.op === "Conv") {
    const kernel = graphValue(graph, node.inputs[1]!).shape.slice(2);
    if (kernel.some((extent) => extent !== 1) || attribute(node, "group", "int", 1) !== 1)
      return undefined;
  }
  const [data, matrix] = node.inputs as [string, string];
  const weight = constantBehind(graph, made, matrix);
  return weight === undefined ? undefined : { latent: data, head: { op: node.op, weight } };
}

function show(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

function notAClassifier(message: string, place?: string, next = EXPORT_ADVICE): AntidoteError {
  return new AntidoteError("MODEL_NOT_A_CLASSIFIER", message, {
    ...(place === undefined ? {} : { place }),
    next,
  });
}
