import type { GraphProto, NodeProto } from "./proto/generated/onnx_pb.ts";

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
  const used = graph.node.flatMap((node) => [...node.input, ...subgraphs(node).flatMap(captures)]);
  return [...used, ...graph.output.map(({ name }) => name)].filter((name) => !own.has(name));
}
