import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import type { Attribute, Node } from "./graph.ts";
import {
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "./proto/generated/onnx_pb.ts";

/** The graphs inside a node: branches of If, bodies of Loop and Scan. */
export function subgraphs(node: NodeProto): GraphProto[] {
  return node.attribute.flatMap(({ g, graphs }) => (g ? [g, ...graphs] : graphs));
}

/** The nodes inside a graph, at every depth. */
export function* nestedNodes(graph: GraphProto): Generator<NodeProto> {
  for (const node of graph.node) {
    yield node;
    for (const inner of subgraphs(node)) yield* nestedNodes(inner);
  }
}

/** Names that a node of a file reads, the empty ones of absent inputs included: its inputs, and what its graphs capture. */
export function namesRead(node: NodeProto): string[] {
  return [...node.input, ...subgraphs(node).flatMap(captures)];
}

/** Names of outer tensors that a graph inside a node reads without listing them as inputs. */
export function captures(graph: GraphProto): string[] {
  const own = new Set(
    [...graph.input, ...graph.initializer]
      .map(({ name }) => name)
      .concat(
        graph.node.flatMap(({ output }) => output),
        "",
      ),
  );
  const used = graph.node.flatMap(namesRead);
  return [...used, ...graph.output.map(({ name }) => name)].filter((name) => !own.has(name));
}

/** Names of the tensors that a decoded node reads: as `namesRead`, without absent inputs. */
export function reads({ inputs, attributes }: Node): string[] {
  const inner = Array.from(attributes.values(), ({ kind, value }) =>
    kind === "graph" ? captures(value as GraphProto) : [],
  );
  return [...inputs.filter((name) => name !== ""), ...inner.flat()];
}

type Rename = (name: string) => string;

/**
 * The attributes of a node with other names in its subgraphs.
 * @param outer the new name of a tensor that a subgraph reads from outside
 * @param prefix of the tensors that a subgraph makes itself
 */
export function renamedSubgraphs(
  attributes: Node["attributes"],
  outer: Rename,
  prefix: string,
): Node["attributes"] {
  return new Map(
    Array.from(attributes, ([name, attribute]): [string, Attribute] => {
      if (attribute.kind !== "graph") return [name, attribute];
      const graph = attribute.value as GraphProto;
      const captured = new Map(captures(graph).map((read) => [read, outer(read)]));
      const rename = (inner: string) => captured.get(inner) ?? prefix + inner;
      return [name, { kind: "graph", value: renamedGraph(graph, rename) }];
    }),
  );
}

/**
 * A graph with other names for all its tensors, those of the graphs inside included.
 * @param rename is not asked for the empty name of an absent input
 * @param nodes what stands in the place of its nodes, with the new names
 */
export function renamedGraph(
  graph: GraphProto,
  rename: Rename,
  nodes: NodeProto[] = graph.node.map((node) => renamedNode(node, rename)),
): GraphProto {
  const name = (old: { readonly name: string }) => ({ name: rename(old.name) });
  const values = (list: readonly ValueInfoProto[]) =>
    list.map((value) => altered(ValueInfoProtoSchema, value, name(value)));
  return altered(GraphProtoSchema, graph, {
    input: values(graph.input),
    output: values(graph.output),
    valueInfo: values(graph.valueInfo),
    initializer: graph.initializer.map((it) => altered(TensorProtoSchema, it, name(it))),
    node: nodes,
  });
}

function renamedNode(node: NodeProto, rename: Rename): NodeProto {
  const present: Rename = (name) => (name === "" ? "" : rename(name));
  return altered(NodeProtoSchema, node, {
    input: node.input.map(present),
    output: node.output.map(present),
    attribute: node.attribute.map((attribute) =>
      altered(AttributeProtoSchema, attribute, {
        g: attribute.g && renamedGraph(attribute.g, rename),
        graphs: attribute.graphs.map((graph) => renamedGraph(graph, rename)),
      }),
    ),
  });
}

/** A message with some fields changed. The rest is shared: a function called often costs no memory. */
export function altered<S extends DescMessage>(
  schema: S,
  message: MessageShape<S>,
  changes: Partial<MessageShape<S>>,
): MessageShape<S> {
  return Object.assign(create(schema), message, changes);
}
