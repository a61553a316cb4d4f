import type { DataType, Tensor } from "../core/tensor.ts";
import type { Graph, Node } from "./graph.ts";
import { reads } from "./subgraphs.ts";

const FLOATS: ReadonlySet<DataType> = new Set(["float16", "bfloat16", "float32", "float64"]);

/** Operators whose result differs from run to run. */
const RANDOM = new Set([
  "Bernoulli",
  "Multinomial",
  "RandomNormal",
  "RandomNormalLike",
  "RandomUniform",
  "RandomUniformLike",
]);

/** Factors that sizes are multiplied with or stand beside: one for each axis of a tensor, or its two ends. */
const MAX_FACTORS = 8;

/**
 * The nodes whose results are the same in every run of a graph with fixed input shapes: shapes, and all
 * that is computed from shapes, from integers and from scalars. Weights, that is float constants with
 * axes, are not computed with: they stay visible to whoever trains them. A few float numbers count as
 * factors, not as weights, where a node computes with shapes and them alone.
 */
export function shapeArithmetic(graph: Graph): ReadonlySet<Node> {
  const known = new Set<string>();
  const factors = new Set<string>();
  for (const [name, constant] of graph.constants) {
    if (!isWeight(constant)) known.add(name);
    else if (constant.shape.length === 1 && constant.shape[0]! <= MAX_FACTORS) factors.add(name);
  }
  const found = new Set<Node>();
  const fromShapes = new Set<string>();
  for (const node of graph.nodes) {
    if (node.domain !== "" || RANDOM.has(node.op)) continue;
    const inputs = reads(node);
    const isShape = node.op === "Shape" || node.op === "Size";
    const isOfShapes = isShape || inputs.some((name) => fromShapes.has(name));
    const isKnown = (name: string) => known.has(name) || (isOfShapes && factors.has(name));
    if (!isShape && (inputs.length === 0 || !inputs.every(isKnown))) continue;
    found.add(node);
    for (const output of node.outputs) {
      known.add(output);
      if (isOfShapes) fromShapes.add(output);
    }
  }
  return found;
}

function isWeight({ type, shape }: Tensor): boolean {
  return FLOATS.has(type) && shape.length > 0;
}

/**
 * The tensors made by `nodes` that other nodes or the graph's caller read: what has to be known of them
 * to do without these nodes.
 */
export function frontier(graph: Graph, nodes: ReadonlySet<Node>): string[] {
  const read = new Set(graph.outputs);
  for (const node of graph.nodes) {
    if (!nodes.has(node)) for (const name of reads(node)) read.add(name);
  }
  return [...nodes].flatMap((node) => node.outputs).filter((name) => name !== "" && read.has(name));
}

/** The graph without `nodes`, whose results `values` holds, and without what nothing reads then. */
export function fold(
  graph: Graph,
  nodes: ReadonlySet<Node>,
  values: Readonly<Record<string, Tensor>>,
): Pick<Graph, "nodes" | "constants"> {
  const read = new Set(graph.outputs);
  const kept: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (nodes.has(node) || !node.outputs.some((name) => read.has(name))) continue;
    for (const name of reads(node)) read.add(name);
    kept.push(node);
  }
  const constants = [...graph.constants, ...Object.entries(values)];
  return {
    nodes: kept.reverse(),
    constants: new Map(constants.filter(([name]) => read.has(name))),
  };
}

/** The graph without the nodes and constants that no output needs. */
export function pruned(graph: Graph): Graph {
  return { ...graph, ...fold(graph, new Set(), {}) };
}
