import { type DataType, type Tensor, tensor } from "../../src/core/tensor.ts";
import { ELEMENT_CODES } from "../../src/onnx/element-types.ts";
import type { Attribute, Node, StaticGraph } from "../../src/onnx/graph.ts";

const typeInDouble = (type: DataType): DataType => (type === "float32" ? "float64" : type);

/** A float32 tensor in float64; others stay. */
export function doubled(value: Tensor): Tensor {
  if (value.type !== "float32") return value;
  return tensor("float64", value.shape, Float64Array.from(value.data as Float32Array));
}

/** The same graph in float64: what finite differences are taken of. */
export function doubleGraph(graph: StaticGraph): StaticGraph {
  const inDouble = <T extends { readonly type: DataType }>(value: T): T => ({
    ...value,
    type: typeInDouble(value.type),
  });
  return {
    ...graph,
    inputs: graph.inputs.map(inDouble),
    nodes: graph.nodes.map(doubleNode),
    constants: new Map(Array.from(graph.constants, ([name, value]) => [name, doubled(value)])),
    values: new Map(Array.from(graph.values, ([name, value]) => [name, inDouble(value)])),
  };
}

function doubleNode(node: Node): Node {
  if (node.op !== "Cast") return node;
  const to = node.attributes.get("to");
  if (to?.value !== ELEMENT_CODES.float32) return node;
  const double: Attribute = { kind: "int", value: ELEMENT_CODES.float64 };
  return { ...node, attributes: new Map([["to", double]]) };
}
