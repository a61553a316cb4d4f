import type { DataType, Tensor } from "../core/tensor.ts";
import type { Graph, Node } from "./graph.ts";
import type { GraphProto } from "./proto/generated/onnx_pb.ts";
import { nestedNodes, reads } from "./subgraphs.ts";

const FLOATS: ReadonlySet<DataType> = new Set(["float16", "bfloat16", "float32", "float64"]);

/** Operators whose result differs from run to run. */
const RANDOM = new Set([
  "Bernoulli",
  "Dropout",
  "Multinomial",
  "RandomNormal",
  "RandomNormalLike",
  "RandomUniform",
  "RandomUniformLike",
]);

/** Inputs whose values decide of which shape the result is; of control flow and what is not standard, all. */
const SHAPING_INPUTS: Readonly<Record<string, readonly number[] | "all">> = {
  AffineGrid: [1],
  BlackmanWindow: [0],
  CenterCropPad: [1],
  Col2Im: [1, 2],
  Compress: [1],
  ConstantOfShape: [0],
  DFT: [1, 2],
  Expand: [1],
  HammingWindow: [0],
  HannWindow: [0],
  If: "all",
  ImageDecoder: [0],
  Loop: "all",
  MaxUnpool: [2],
  MelWeightMatrix: [0, 1],
  NonMaxSuppression: "all",
  NonZero: [0],
  OneHot: [1],
  Pad: [1, 3],
  Range: [0, 1, 2],
  ReduceL1: [1],
  ReduceL2: [1],
  ReduceLogSum: [1],
  ReduceLogSumExp: [1],
  ReduceMax: [1],
  ReduceMean: [1],
  ReduceMin: [1],
  ReduceProd: [1],
  ReduceSum: [1],
  ReduceSumSquare: [1],
  Reshape: [1],
  Resize: [1, 2, 3],
  STFT: [1, 3],
  Scan: "all",
  Slice: [1, 2, 3, 4],
  Split: [1],
  Squeeze: [1],
  StringSplit: [0],
  Tile: [1],
  TopK: [1],
  Unique: [0],
  Unsqueeze: [1],
};

function shapingInputs(node: Node): readonly string[] {
  const positions = node.domain === "" ? (SHAPING_INPUTS[node.op] ?? []) : "all";
  return positions === "all" ? reads(node) : positions.map((at) => node.inputs[at] ?? "");
}

function isRandom({ op, attributes }: Node): boolean {
  const inner = Array.from(attributes.values(), ({ kind, value }) =>
    kind === "graph" ? [...nestedNodes(value as GraphProto)] : [],
  );
  return RANDOM.has(op) || inner.flat().some(({ opType }) => RANDOM.has(opType));
}

/** What changes with the values that a graph is given, whose shapes are fixed, or from run to run. */
function changing(graph: Graph): ReadonlySet<string> {
  const values = new Set(graph.inputs.map(({ name }) => name));
  const shapes = new Set<string>();
  for (const node of graph.nodes) {
    const inputs = reads(node);
    const isShaped =
      inputs.some((name) => shapes.has(name)) ||
      shapingInputs(node).some((name) => values.has(name));
    const isChanging = isShape(node)
      ? isShaped
      : isRandom(node) || inputs.some((name) => values.has(name));
    for (const name of node.outputs) {
      if (isShaped) shapes.add(name);
      if (isChanging) values.add(name);
    }
  }
  return values;
}

function isShape({ op, domain }: Node): boolean {
  return domain === "" && (op === "Shape" || op === "Size");
}

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
  const varying = changing(graph);
  const found = new Set<Node>();
  const fromShapes = new Set<string>();
  for (const node of graph.nodes) {
    if (node.domain !== "" || node.outputs.some((name) => varying.has(name))) continue;
    const inputs = reads(node);
    const isOfShapes = isShape(node) || inputs.some((name) => fromShapes.has(name));
    const isKnown = (name: string) => known.has(name) || (isOfShapes && factors.has(name));
    if (!isShape(node) && (inputs.length === 0 || !inputs.every(isKnown))) continue;
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
