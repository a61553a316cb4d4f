import { AntidoteError } from "../core/errors.ts";
import type { DataType, Shape, Tensor } from "../core/tensor.ts";

/** A tensor in a graph: its name, element type and exact shape. */
export interface Value<T extends DataType = DataType> {
  readonly name: string;
  readonly type: T;
  readonly shape: Shape;
}

/** What each kind of attribute holds. `opaque` keeps what Antidote does not interpret. */
export interface AttributeValues {
  int: number;
  float: number;
  string: string;
  ints: readonly number[];
  floats: readonly number[];
  strings: readonly string[];
  tensor: Tensor;
  graph: unknown;
  opaque: unknown;
}

/** The value of a node's attribute. */
export type Attribute = {
  [K in keyof AttributeValues]: { readonly kind: K; readonly value: AttributeValues[K] };
}[keyof AttributeValues];

/** One operation. An optional input that is absent is the empty name, as in ONNX. */
export interface Node {
  readonly op: string;
  /** "" is the standard ONNX domain. */
  readonly domain: string;
  /** Unique name for messages; falls back to the first output. */
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}

/** An input whose extents may be unknown (null) until the graph is specialised to a batch size. */
export interface GraphInput {
  readonly name: string;
  readonly type: DataType;
  readonly shape: readonly (number | null)[];
}

/**
 * A computation as read from a file: nodes in topological order, constants by name. Shapes of the
 * intermediate tensors are not known yet; `StaticGraph` adds them.
 */
export interface Graph {
  /** Version of the standard operator set that the nodes follow. */
  readonly opset: number;
  readonly inputs: readonly GraphInput[];
  readonly outputs: readonly string[];
  readonly nodes: readonly Node[];
  readonly constants: ReadonlyMap<string, Tensor>;
}

/** A graph with every extent known: what is differentiated, extended and executed. */
export interface StaticGraph extends Graph {
  readonly inputs: readonly Value[];
  /** Type and shape of every tensor: inputs, constants and node outputs. */
  readonly values: ReadonlyMap<string, Value>;
}

/** A graph in which no operation fixes the number of images, for any number of them: the first axis of inputs is open. */
export function openBatch({ opset, inputs, outputs, nodes, constants }: StaticGraph): Graph {
  const open = inputs.map((value) => ({ ...value, shape: [null, ...value.shape.slice(1)] }));
  return { opset, inputs: open, outputs, nodes, constants };
}

/** The value called `name`; throws `MODEL_INVALID` if the graph does not define it. */
export function graphValue(graph: StaticGraph, name: string): Value {
  const value = graph.values.get(name);
  if (!value) {
    throw new AntidoteError(
      "MODEL_INVALID",
      `The graph uses the tensor "${name}", which nothing defines.`,
      {
        place: name,
        next: "Export the model again, or check it with `onnx.checker.check_model`.",
      },
    );
  }
  return value;
}

/** An attribute of the expected kind, or the fallback when absent. Throws `MODEL_INVALID` on another kind. */
export function attribute<K extends keyof AttributeValues, F>(
  node: Node,
  name: string,
  kind: K,
  fallback: F,
): AttributeValues[K] | F {
  const found = node.attributes.get(name);
  if (found === undefined) return fallback;
  if (found.kind !== kind) {
    throw new AntidoteError(
      "MODEL_INVALID",
      `Attribute "${name}" of ${describe(node)} is of kind ${found.kind}; ${kind} is expected.`,
      { place: node.name, next: "Export the model again with a current exporter." },
    );
  }
  return found.value as AttributeValues[K];
}

/** "Conv node "/layer1/conv1"", for messages. */
export function describe(node: Node): string {
  const op = node.domain === "" ? node.op : `${node.domain}.${node.op}`;
  return `${op} node "${node.name || node.outputs[0] || "?"}"`;
}

/** Consumers of every tensor, by name. */
export function consumers(graph: Graph): Map<string, Node[]> {
  const uses = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const input of node.inputs) {
      if (input === "") continue;
      const list = uses.get(input);
      if (list) list.push(node);
      else uses.set(input, [node]);
    }
  }
  return uses;
}

/** The node that makes every tensor, by name. */
export function producers(graph: Graph): Map<string, Node> {
  return new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
}
