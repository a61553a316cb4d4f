import { sizeOf, type Tensor } from "../core/tensor.ts";
import { shapeArithmetic } from "../onnx/fold.ts";
import { consumers, type Graph, type Node, producers } from "../onnx/graph.ts";

/** Inputs of each operator that hold what training changes. */
const PARAMETER_INPUTS: Readonly<Record<string, readonly number[]>> = {
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  Gemm: [0, 1, 2],
  MatMul: [0, 1],
  Einsum: [0, 1],
  BatchNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  LayerNormalization: [1, 2],
  RMSNormalization: [1],
  GroupNormalization: [1, 2],
  PRelu: [1],
};

/** Operators whose constant operand may be a bias or a scale, once a layer with weights lies above it. */
const SCALES_AND_BIASES = new Set(["Add", "Mul"]);

/** Operators through which a constant may reach the layer that uses it. */
const TRANSPARENT = new Set([
  "Identity",
  "Transpose",
  "Reshape",
  "Squeeze",
  "Unsqueeze",
  "Flatten",
]);

/** The constant behind a tensor, seen through reshaping operators; undefined if it is computed. */
export function constantBehind(
  graph: Graph,
  made: ReadonlyMap<string, Node>,
  name: string,
): string | undefined {
  let current = name;
  for (;;) {
    if (graph.constants.has(current)) return current;
    const node = made.get(current);
    if (node?.domain !== "" || !TRANSPARENT.has(node.op)) return undefined;
    current = node.inputs[0]!;
  }
}

/**
 * The constants of a graph that are weights: float32 operands of layers, and of additions and products
 * below the first layer (constants above it are input normalisation, which no repair may touch).
 * Running statistics of batch normalisation are not among them, nor are masks of attention and factors of sizes.
 * @returns names in the order of first use
 */
export function trainableConstants(graph: Graph): string[] {
  const made = producers(graph);
  const uses = consumers(graph);
  const fromLayer = new Set<string>();
  const belowLayer = new Set<string>();
  const found = new Set<string>();
  const arithmetic = shapeArithmetic(graph);
  const scores = enteringSoftmax(graph, made, uses);
  const hiding = new Map<string, boolean>();
  const isHiding = (name: string) => {
    const known = hiding.get(name) ?? hides(graph.constants.get(name)!);
    hiding.set(name, known);
    return known;
  };
  for (const node of graph.nodes) {
    if (node.domain !== "" || arithmetic.has(node)) continue;
    const below = node.inputs.some((input) => belowLayer.has(input));
    let positions = PARAMETER_INPUTS[node.op] ?? [];
    if (SCALES_AND_BIASES.has(node.op) && below) positions = [0, 1];
    const weights = positions.flatMap((position) => {
      const operand = node.inputs[position];
      const name = operand ? constantBehind(graph, made, operand) : undefined;
      const constant = name === undefined ? undefined : graph.constants.get(name);
      const isScalar =
        constant !== undefined && sizeOf(constant.shape) === 1 && positions.length === 2;
      return name !== undefined &&
        constant?.type === "float32" &&
        !(isScalar && SCALES_AND_BIASES.has(node.op))
        ? [name]
        : [];
    });
    // What is added to the result of a layer is its bias.
    const mayMask = node.op === "Add" && !node.inputs.some((input) => fromLayer.has(input));
    for (const name of weights) {
      const isMask = mayMask && scores.has(node) && isHiding(name);
      if (!isMask) found.add(name);
    }
    const isLayer = PARAMETER_INPUTS[node.op] !== undefined && weights.length > 0;
    for (const output of node.outputs) {
      if (isLayer) fromLayer.add(output);
      if (isLayer || below) belowLayer.add(output);
    }
  }
  return [...found];
}

/** What is added to a score in place of −∞, at most: −10 000, −1e9 or the lowest number of a type are usual. */
const HIDING = -1e4;

/** Whether a constant, added to scores, hides some of them from a softmax, and holds numbers otherwise. */
function hides({ data }: Tensor): boolean {
  let found = false;
  for (const value of data) {
    if (value <= HIDING) found = true;
    else if (!Number.isFinite(value)) return false;
  }
  return found;
}

/** The nodes whose results enter a softmax inside the network, also through sums: something reads its result. That of class scores is the output. */
function enteringSoftmax(
  graph: Graph,
  made: ReadonlyMap<string, Node>,
  uses: ReadonlyMap<string, readonly Node[]>,
): ReadonlySet<Node> {
  const found = new Set<Node>();
  const waiting = graph.nodes.filter((node) => node.op === "Softmax" && isRead(node, uses));
  for (let current = waiting.pop(); current; current = waiting.pop()) {
    for (const name of current.inputs) {
      const maker = made.get(name);
      if (!maker || found.has(maker)) continue;
      if (maker.op !== "Add" && !TRANSPARENT.has(maker.op)) continue;
      found.add(maker);
      waiting.push(maker);
    }
  }
  return found;
}

/** Whether anything but another shape is made of what a node makes. */
function isRead(node: Node, uses: ReadonlyMap<string, readonly Node[]>): boolean {
  const seen = new Set<Node>();
  const waiting = [node];
  for (let current = waiting.pop(); current; current = waiting.pop()) {
    for (const user of current.outputs.flatMap((name) => uses.get(name) ?? [])) {
      if (!TRANSPARENT.has(user.op)) return true;
      if (!seen.has(user)) waiting.push(user);
      seen.add(user);
    }
  }
  return false;
}
