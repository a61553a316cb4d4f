import { GraphBuilder } from "../onnx/builder.ts";
import { graphValue, type Node, type StaticGraph } from "../onnx/graph.ts";

/**
 * Puts what `replace` builds in the place of every matching node; it must define the node's outputs.
 * @param purpose tells the names that it invents from those of another replacement of the same node
 */
export function replaceNodes(
  graph: StaticGraph,
  purpose: string,
  matches: (node: Node) => boolean,
  replace: (node: Node, b: GraphBuilder) => void,
): StaticGraph {
  const constants = new Map(graph.constants);
  const values = new Map(graph.values);
  const nodes = graph.nodes.flatMap((node) => {
    if (!matches(node)) return [node];
    const b = new GraphBuilder(`${node.name}/${purpose}/`);
    for (const name of new Set(node.inputs.filter((input) => input !== ""))) {
      const { type, shape } = graphValue(graph, name);
      b.input(name, type, shape);
    }
    replace(node, b);
    const part = b.build();
    for (const [name, tensor] of part.constants) constants.set(name, tensor);
    for (const [name, value] of part.values) values.set(name, value);
    return part.nodes;
  });
  return { ...graph, nodes, constants, values };
}
