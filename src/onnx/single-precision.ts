import type { DataType, Tensor } from "../core/tensor.ts";
import { ELEMENT_CODES, elementType } from "./element-types.ts";
import type { Attribute, Graph, Node } from "./graph.ts";
import { convertFloat } from "./tensors.ts";

const OTHER_FLOATS: ReadonlySet<DataType> = new Set(["float16", "bfloat16", "float64"]);

/** Attributes that hold an element type. */
const TYPE_ATTRIBUTES = new Set(["to", "dtype", "stash_type", "softmax_precision"]);

/**
 * The same computation in float32, whichever floating-point types the file computes with: what is
 * differentiated has one type. Constants keep their names; `exportModel` rounds them back to the stored
 * type. Results agree up to the rounding of the file's own type.
 */
export function inSinglePrecision(graph: Graph): Graph {
  if (!hasOtherFloats(graph)) return graph;
  return {
    ...graph,
    inputs: graph.inputs.map((input) => ({ ...input, type: single(input.type) })),
    nodes: graph.nodes.map(singleNode),
    constants: new Map(Array.from(graph.constants, ([name, value]) => [name, singleTensor(value)])),
  };
}

function hasOtherFloats({ inputs, constants, nodes }: Graph): boolean {
  const held = [...inputs, ...constants.values()].some(({ type }) => OTHER_FLOATS.has(type));
  return held || nodes.some((node) => singleNode(node) !== node);
}

function singleNode(node: Node): Node {
  const changed = [...node.attributes].flatMap(([name, value]): [string, Attribute][] => {
    const replaced = singleAttribute(name, value);
    return replaced ? [[name, replaced]] : [];
  });
  if (changed.length === 0) return node;
  return { ...node, attributes: new Map([...node.attributes, ...changed]) };
}

/** The attribute in float32; undefined if it names and holds no other floating-point type. */
function singleAttribute(name: string, { kind, value }: Attribute): Attribute | undefined {
  if (kind === "tensor" && OTHER_FLOATS.has(value.type))
    return { kind, value: singleTensor(value) };
  if (kind !== "int" || !TYPE_ATTRIBUTES.has(name)) return undefined;
  const type = elementType(value);
  return type && OTHER_FLOATS.has(type) ? { kind, value: ELEMENT_CODES.float32 } : undefined;
}

function singleTensor(value: Tensor): Tensor {
  return OTHER_FLOATS.has(value.type) ? convertFloat(value, "float32") : value;
}

function single(type: DataType): DataType {
  return OTHER_FLOATS.has(type) ? "float32" : type;
}
