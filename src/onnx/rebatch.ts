import { AntidoteError } from "../core/errors.ts";
import { int64, type Shape, type Tensor } from "../core/tensor.ts";
import { type BatchPlace, followBatch } from "./batch-axis.ts";
import { describe, graphValue, type Node, type StaticGraph, type Value } from "./graph.ts";

/**
 * A graph that a file gives for one number of images, for another number: an exporter that is not told
 * otherwise writes the number into reshapes. The axis that counts images is followed from the input
 * through every node; where a shape is written down, it is written anew.
 * @param graph computes each image independently of the others
 * @param batch images of the new graph
 * @throws `MODEL_INVALID`, which names the node where the axis is lost
 */
export function rebatch(graph: StaticGraph, batch: number): StaticGraph {
  const [input] = graph.inputs;
  const given = input!.shape[0]!;
  const places = new Map<string, BatchPlace>([[input!.name, { axis: 0, slower: 1 }]]);
  const constants = new Map(graph.constants);
  const values = new Map(graph.values);

  const resized = ({ name, shape }: Value, axis: number): number[] => {
    const images = shape[axis]!;
    if (images % given === 0) return shape.with(axis, (images / given) * batch);
    throw lost(name, `The tensor "${name}" has no axis that counts images.`);
  };
  /** A constant with the name of what it is for. */
  const constant = (name: string, value: Tensor): string => {
    constants.set(name, value);
    values.set(name, { name, type: value.type, shape: value.shape });
    return name;
  };
  /** What is the same for every image, repeated for each: [1, …] → [batch, …]. */
  const repeated = (node: Node, i: number, axis: number): Node => {
    const value = graphValue(graph, node.inputs[i]!);
    if (value.shape[axis] !== 1) throw lost(node.name, message(node));
    const shape: Shape = value.shape.with(axis, batch * ratio(graph, node, given, axis));
    const name = `${node.name}/input ${i} for ${batch}`;
    values.set(name, { ...value, name, shape });
    const target = constant(`${name}/shape`, int64(shape));
    const inputs = [value.name, target];
    return { ...plain("Expand", name), inputs };
  };

  values.set(input!.name, { ...input!, shape: resized(input!, 0) });
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const at = node.inputs.map((name) => places.get(name));
    if (at.every((place) => place === undefined)) return [node];
    const shapes = { of: (name: string) => graphValue(graph, name).shape, given };
    const place = followBatch(node, at, shapes, graph.constants);
    if (!place) throw lost(node.name, message(node));
    const { axis } = place;
    for (const name of node.outputs) {
      if (name === "") continue;
      places.set(name, place);
      const value = graphValue(graph, name);
      values.set(name, { ...value, shape: resized(value, axis) });
    }
    const target = SHAPE_INPUT[node.op];
    if (target !== undefined && node.inputs[target]) {
      const shape = int64(values.get(node.outputs[0]!)!.shape);
      const name = constant(`${node.name}/shape for ${batch}`, shape);
      return [{ ...node, inputs: node.inputs.with(target, name) }];
    }
    if (node.op !== "Concat") return [node];
    const copies = at.flatMap((own, i) => (own === undefined ? [repeated(node, i, axis)] : []));
    const names = copies.map(({ outputs }) => outputs[0]!);
    const inputs = node.inputs.map((name, i) => (at[i] === undefined ? names.shift()! : name));
    return [...copies, { ...node, inputs }];
  });
  for (const name of graph.outputs) {
    if (places.get(name)?.axis !== 0)
      throw lost(name, `The output "${name}" does not depend on the image.`);
  }
  const inputs = graph.inputs.map((value) => values.get(value.name)!);
  return { ...graph, inputs, nodes, constants, values };
}

/** Inputs that hold the shape of the result. */
const SHAPE_INPUT: Readonly<Record<string, number>> = { Reshape: 1, Expand: 1, Resize: 3 };

/** How many entries the axis has for every image. */
function ratio(graph: StaticGraph, node: Node, given: number, axis: number): number {
  return graphValue(graph, node.outputs[0]!).shape[axis]! / given;
}

function plain(op: string, output: string): Node {
  return { op, domain: "", name: output, inputs: [], outputs: [output], attributes: new Map() };
}

function message(node: Node): string {
  return `Which axis counts images cannot be followed through the ${describe(node)}.`;
}

function lost(place: string, text: string): AntidoteError {
  return new AntidoteError("MODEL_INVALID", text, { place, next: OPEN_BATCH_ADVICE });
}

export const OPEN_BATCH_ADVICE =
  'Export it with an open batch axis, e.g. `dynamic_axes={"input": {0: "batch"}}` in torch.onnx.export.';
