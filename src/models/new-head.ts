import { AntidoteError } from "../core/errors.ts";
import type { Random } from "../core/random.ts";
import { float32, int64, type Shape, sizeOf, type Tensor, toNumbers } from "../core/tensor.ts";
import { describe, type Graph, type Node, producers } from "../onnx/graph.ts";
import { constantBehind } from "./parameters.ts";
import type { Roles } from "./roles.ts";

/**
 * The network with an untrained last linear layer for another number of classes, as in fine-tuning on other images:
 * weights from U(±1/√d) for d inputs, as PyTorch begins, biases 0 and scales 1. Whatever follows the layer and is as
 * long as there are classes (biases, shapes written down) gets the new length.
 * @throws `CLASSES_MISMATCH` where the number of classes cannot be told from another one
 */
export function withNewHead(graph: Graph, roles: Roles, classes: number, random: Random): Graph {
  const constants = new Map(graph.constants);
  const made = producers(graph);
  const { weight } = roles.head;
  const old = constants.get(weight)!;
  const head = graph.nodes.find(
    ({ inputs: [data, matrix], op }) =>
      op === roles.head.op &&
      data === roles.latent &&
      constantBehind(graph, made, matrix!) === weight,
  );
  if (!head) throw irreplaceable("the node that computes the class scores was not found", weight);
  const axes = axesOfLength(old.shape, roles.classes);
  if (axes.length !== 1) {
    throw irreplaceable(`its weight has the shape [${old.shape.join(", ")}]`, weight);
  }
  const shape = old.shape.with(axes[0]!, classes);
  const bound = 1 / Math.sqrt(sizeOf(shape) / classes);
  const own = random.fork("head");
  const draw = () => bound * (2 * own.uniform() - 1);
  constants.set(weight, float32(shape, Float32Array.from({ length: sizeOf(shape) }, draw)));

  for (const node of [head, ...below(graph, head)]) {
    for (const name of node.inputs) {
      const value = constants.get(name);
      if (!value || name === weight) continue;
      constants.set(name, resized(node, name, value, roles.classes, classes));
    }
  }
  return { ...graph, constants };
}

/** Nodes that work on what a node returns, directly or not. */
function below(graph: Graph, node: Node): Node[] {
  const reached = new Set(node.outputs);
  return graph.nodes.filter(({ inputs, outputs }) => {
    if (!inputs.some((name) => reached.has(name))) return false;
    for (const name of outputs) reached.add(name);
    return true;
  });
}

const BIASES = new Set(["Gemm", "Conv", "Add", "Sum", "Sub"]);
const SCALES = new Set(["Mul", "Div"]);

/** A constant behind the last layer, for the new number of classes. */
function resized(node: Node, name: string, value: Tensor, before: number, after: number): Tensor {
  if (node.op === "Reshape" && value.type === "int64") {
    return int64(toNumbers(value).map((extent) => (extent === before ? after : extent)));
  }
  const axes = axesOfLength(value.shape, before);
  if (axes.length === 0) return value;
  if (
    axes.length > 1 ||
    value.type !== "float32" ||
    !(BIASES.has(node.op) || SCALES.has(node.op))
  ) {
    throw irreplaceable(`${describe(node)} behind it has a constant for every class`, name);
  }
  const shape = value.shape.with(axes[0]!, after);
  return float32(shape, new Float32Array(sizeOf(shape)).fill(SCALES.has(node.op) ? 1 : 0));
}

function axesOfLength(shape: Shape, length: number): number[] {
  return shape.flatMap((extent, axis) => (extent === length ? [axis] : []));
}

function irreplaceable(why: string, place: string): AntidoteError {
  return new AntidoteError(
    "CLASSES_MISMATCH",
    `The last layer cannot be replaced by one for other classes: ${why}.`,
    {
      place,
      next: "Replace it before the export, or train on images of the model's own classes.",
    },
  );
}
