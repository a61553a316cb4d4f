import { AntidoteError } from "../core/errors.ts";
import { elementType } from "../onnx/element-types.ts";
import { attribute, describe, type Graph, type Node } from "../onnx/graph.ts";
import { reads } from "../onnx/subgraphs.ts";
import { NOT_DIFFERENTIABLE_ADVICE, type Rule } from "./rule.ts";
import { CONSTANT, RULES } from "./rules/index.ts";

/** Whether gradients can pass an operator. */
export type Differentiability = "differentiable" | typeof CONSTANT | "unsupported";

/** Whether gradients can pass an operator of the given domain ("" is the standard one). */
export function differentiability(op: string, domain = ""): Differentiability {
  const entry = domain === "" ? table.get(op) : undefined;
  if (entry === undefined) return "unsupported";
  return entry === CONSTANT ? CONSTANT : "differentiable";
}

/** The rule for a node; throws `MODEL_NOT_DIFFERENTIABLE` if its operator has none. */
export function ruleOf(node: Node): Rule {
  const entry = node.domain === "" ? table.get(node.op) : undefined;
  if (entry === undefined || entry === CONSTANT) throw unsupported([node]);
  return entry;
}

const table = new Map<string, Rule | typeof CONSTANT>(Object.entries(RULES));

const FLOATING = new Set(["float16", "bfloat16", "float32", "float64"]);

/**
 * The tensors that change with `from` by way of operators that let gradients pass or have no rule.
 * @param isFloat false for tensors that are known to hold no floating-point numbers
 */
export function dependents(
  nodes: readonly Node[],
  from: readonly string[],
  isFloat: (name: string) => boolean = () => true,
): Set<string> {
  const reached = new Set(from);
  for (const node of nodes) {
    if (isConstant(node) || !reads(node).some((name) => reached.has(name))) continue;
    for (const name of node.outputs) if (name !== "" && isFloat(name)) reached.add(name);
  }
  return reached;
}

function isConstant(node: Node): boolean {
  if (node.op === "Cast" && node.domain === "") {
    return !FLOATING.has(elementType(attribute(node, "to", "int", 0)) ?? "");
  }
  return differentiability(node.op, node.domain) === CONSTANT;
}

/** The nodes between `from` and `to` that have no rule. Works before any shape is known. */
export function withoutRule(
  graph: Pick<Graph, "nodes">,
  from: readonly string[],
  to: readonly string[],
): Node[] {
  const depends = dependents(graph.nodes, from);
  const wanted = new Set(to);
  const missing: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    const through = reads(node).filter((name) => depends.has(name));
    const between = through.length > 0 && node.outputs.some((name) => wanted.has(name));
    if (!between || isConstant(node)) continue;
    for (const name of through) wanted.add(name);
    if (differentiability(node.op, node.domain) === "unsupported") missing.unshift(node);
  }
  return missing;
}

/**
 * Checks, before any work, that `to` can be differentiated by `from` as far as operators go.
 * Throws `MODEL_NOT_DIFFERENTIABLE`, which names every node between them that has no rule.
 */
export function checkDifferentiable(
  graph: Pick<Graph, "nodes">,
  from: readonly string[],
  to: readonly string[],
): void {
  const missing = withoutRule(graph, from, to);
  if (missing.length > 0) throw unsupported(missing);
}

function unsupported(nodes: readonly Node[]): AntidoteError {
  return new AntidoteError(
    "MODEL_NOT_DIFFERENTIABLE",
    `No gradient is known for ${nodes.map(describe).join(", ")}.`,
    { place: nodes[0]!.name, next: needed(nodes[0]!) },
  );
}

/** What would have to be different for a gradient to pass a node. */
function needed({ op, domain }: Node): string {
  if (domain.startsWith("com.microsoft") || domain.startsWith("ai.onnxruntime")) {
    return "Use the model as it was before ONNX Runtime's optimiser fused its operators.";
  }
  if (domain !== "")
    return "Export the model with standard ONNX operators alone, without custom ones.";
  return ADVICE[op] ?? NOT_DIFFERENTIABLE_ADVICE;
}

const NO_CONTROL_FLOW =
  "Export the model with a fixed image size and without data-dependent loops or branches (`dynamo=True`).";
const NO_RECURRENCE = "Recurrent layers have no gradient here: use a network without them.";
const NO_WARPING =
  "Sampling at computed places has no gradient here, and no export avoids it: use a network without it.";
const NO_DETECTION = "Export the classifier alone, without what finds or cuts out objects.";

const ADVICE: Readonly<Record<string, string>> = {
  If: NO_CONTROL_FLOW,
  Loop: NO_CONTROL_FLOW,
  Scan: NO_CONTROL_FLOW,
  GRU: NO_RECURRENCE,
  LSTM: NO_RECURRENCE,
  RNN: NO_RECURRENCE,
  AffineGrid: NO_WARPING,
  DeformConv: NO_WARPING,
  GridSample: NO_WARPING,
  NonMaxSuppression: NO_DETECTION,
  RoiAlign: NO_DETECTION,
};
