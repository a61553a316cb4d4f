import { AntidoteError } from "../core/errors.ts";
import type { Tensor } from "../core/tensor.ts";
import { constantOf } from "./constants.ts";
import { pruned, shapeArithmetic } from "./fold.ts";
import { attribute, describe, type Graph, type Node } from "./graph.ts";
import { decodeNode, initializers, uniquelyNamed } from "./import.ts";
import { define, inOrder } from "./order.ts";
import type { GraphProto, NodeProto } from "./proto/generated/onnx_pb.ts";
import { reads, renamedGraph } from "./subgraphs.ts";
import { decodeTensor } from "./tensors.ts";

/**
 * The If nodes whose condition is a constant or computed from shapes, so that no image changes it. Those whose
 * condition depends on what another of them returns are left out: it is known once that one is replaced.
 */
export function decidable(graph: Graph): Node[] {
  const known = new Set(graph.constants.keys());
  for (const { outputs } of shapeArithmetic(graph)) for (const name of outputs) known.add(name);
  const behind = new Set<string>();
  return graph.nodes.filter((node) => {
    const decides = node.op === "If" && node.domain === "" && known.has(node.inputs[0] ?? "");
    if (decides || reads(node).some((name) => behind.has(name))) {
      for (const name of node.outputs) behind.add(name);
    }
    return decides && !behind.has(node.inputs[0]!);
  });
}

/**
 * The graph with some If nodes replaced by the branch that is taken, and without what only others read. Inner
 * tensors are called `<first output of the node>::<inner name>`.
 * @param taken whether the condition of each holds
 * @throws `MODEL_INVALID`, `MODEL_UNSUPPORTED_TYPE`
 */
export function takeBranches(graph: Graph, taken: ReadonlyMap<Node, boolean>): Graph {
  const constants = new Map(graph.constants);
  const defined = new Set([...graph.inputs.map(({ name }) => name), ...constants.keys()]);
  const nodes = graph.nodes.flatMap((node) => {
    const holds = taken.get(node);
    if (holds === undefined) return [node];
    const branch = inlined(node, branchOf(node, holds ? "then_branch" : "else_branch"), defined);
    for (const [name, value] of branch.constants) constants.set(name, value);
    return branch.nodes;
  });
  return pruned({ ...graph, nodes: uniquelyNamed(inOrder(nodes, defined)), constants });
}

function branchOf(node: Node, name: string): GraphProto {
  const branch = attribute(node, name, "graph", undefined) as GraphProto | undefined;
  if (branch?.output.length === node.outputs.length) return branch;
  throw new AntidoteError(
    "MODEL_INVALID",
    `The ${describe(node)} has no "${name}" with as many results as the node.`,
    {
      place: node.name,
      next: "Export the model again, or check it with `onnx.checker.check_model`.",
    },
  );
}

/** What stands in a node's place: the nodes and constants of one of its branches. */
function inlined(
  node: Node,
  branch: GraphProto,
  defined: Set<string>,
): { readonly nodes: Node[]; readonly constants: Map<string, Tensor> } {
  const [constantNodes, computing] = separated(branch.node);
  const made = new Set(computing.flatMap(({ output }) => output));
  const own = new Set([...made, ...constantNodes.flatMap(({ output }) => output)]);
  for (const { name } of branch.initializer) own.add(name);

  const returned = new Map<string, string>();
  const prefix = `${node.outputs.find((name) => name !== "")}::`;
  const rename = (name: string) => returned.get(name) ?? (own.has(name) ? prefix + name : name);
  const copies = node.outputs.flatMap((output, i) => {
    const { name } = branch.output[i]!;
    if (output === "") return [];
    if (!made.has(name) || returned.has(name)) return [[name, output] as const];
    returned.set(name, output);
    return [];
  });

  const renamed = renamedGraph(branch, rename);
  const constants = initializers(renamed, defined);
  const [constantsOfNodes, nodes] = separated(renamed.node);
  for (const proto of constantsOfNodes) {
    const constant = decodeNode(proto, decodeTensor);
    const name = constant.outputs[0]!;
    define(name, defined);
    constants.set(name, constantOf(constant));
  }
  const identities = copies.map(([name, output]) => identity(rename(name), output));
  return { nodes: [...nodes.map((it) => decodeNode(it, decodeTensor)), ...identities], constants };
}

/** Nodes that hold a constant, and the others. */
function separated(nodes: readonly NodeProto[]): [NodeProto[], NodeProto[]] {
  const isConstant = ({ opType, domain }: NodeProto) => opType === "Constant" && domain === "";
  return [nodes.filter(isConstant), nodes.filter((node) => !isConstant(node))];
}

/** For a branch that returns what it does not compute, or one tensor twice. */
function identity(input: string, output: string): Node {
  const attributes = new Map();
  return {
    op: "Identity",
    domain: "",
    name: output,
    inputs: [input],
    outputs: [output],
    attributes,
  };
}
