import { AntidoteError } from "../core/errors.ts";
import type { Tensor } from "../core/tensor.ts";
import { decodeAttribute } from "./attributes.ts";
import { BUILDER_OPSET } from "./builder.ts";
import { constantOf } from "./constants.ts";
import { ATTENTION_OPSET, lowerContrib } from "./contrib.ts";
import { ELEMENT_CODES } from "./element-types.ts";
import type { OnnxFile } from "./file.ts";
import { inlineFunctions } from "./functions.ts";
import type { Graph, GraphInput, Node } from "./graph.ts";
import { define, inOrder } from "./order.ts";
import type {
  GraphProto,
  NodeProto,
  TensorProto,
  ValueInfoProto,
} from "./proto/generated/onnx_pb.ts";
import { refuseQuantised } from "./quantised.ts";
import { convertFloat, decodeTensor, supportedType } from "./tensors.ts";
import { upgradeNode } from "./upgrade.ts";
import { UpgradeContext } from "./upgrade-context.ts";

/** Entries along one axis of an input: far more than an image has. */
const MAX_EXTENT = 2n ** 31n;

/**
 * The computation in a model file: constants by the names they have in the file, functions inlined,
 * nodes in topological order and in the form of opset 18 or of the model's own, newer one; what ONNX
 * Runtime's optimiser fused is taken apart.
 * @throws `MODEL_INVALID` (a name defined twice or never, a cycle, a damaged tensor),
 *   `MODEL_UNSUPPORTED_OPSET`, `MODEL_UNSUPPORTED_TYPE`, `MODEL_UNSUPPORTED_OPERATOR`,
 *   `MODEL_QUANTISED`, `MODEL_TOO_LARGE`
 */
export function importGraph({ path, model }: OnnxFile): Graph {
  const proto = model.graph;
  if (!proto || proto.node.length === 0 || proto.output.length === 0) {
    throw invalid(path, "The model computes nothing: it has no nodes or no outputs.");
  }
  const flat = inlineFunctions(model, proto, path);
  refuseQuantised(flat.map((node) => node.proto));

  const defined = new Set<string>();
  const constants = initializers(proto, defined);
  // Files of IR version 3 and older list every initializer among the inputs.
  const inputs = proto.input.filter(({ name }) => !constants.has(name)).map(graphInput);
  for (const { name } of inputs) define(name, defined);

  const decode = decodeOnce();
  const reads = readers(flat.map((node) => node.proto));
  const nodes: Node[] = [];
  const opsets = new Map<Node, number>();
  for (const { proto: nodeProto, opset } of flat) {
    const node = decodeNode(nodeProto, decode);
    if (node.op === "Constant" && node.domain === "") {
      const name = node.outputs[0]!;
      define(name, defined);
      constants.set(name, constantOf(node));
    } else if (widens(node, constants) && reads.get(node.inputs[0]!) === 1) {
      const name = node.outputs[0]!;
      define(name, defined);
      constants.set(name, convertFloat(constants.get(node.inputs[0]!)!, "float32"));
    } else {
      nodes.push(node);
      opsets.set(node, opset);
    }
  }
  const ordered = inOrder(nodes, defined);
  const outputs = proto.output.map(({ name }) => name);
  checkOutputs(outputs, ordered, defined);

  const context = new UpgradeContext(proto, ordered, constants);
  const standard = ordered
    .flatMap((node) => upgradeNode(node, opsets.get(node)!, context))
    .flatMap((node) => lowerContrib(node, context));
  const attends = standard.some(({ op, domain }) => op === "Attention" && domain === "");
  const opset = Math.max(BUILDER_OPSET, ...new Set(opsets.values()));
  return {
    opset: attends ? Math.max(opset, ATTENTION_OPSET) : opset,
    inputs,
    outputs,
    nodes: uniquelyNamed(standard),
    constants,
  };
}

/** The constants that a graph stores; their names are added to `defined`. */
export function initializers(proto: GraphProto, defined: Set<string>): Map<string, Tensor> {
  const sparse = proto.sparseInitializer[0];
  if (sparse) {
    const name = sparse.values?.name ?? "";
    throw new AntidoteError(
      "MODEL_UNSUPPORTED_TYPE",
      `The weight "${name}" is stored as a sparse tensor.`,
      { place: name, next: "Export the model with dense weights." },
    );
  }
  const constants = new Map<string, Tensor>();
  for (const tensor of proto.initializer) {
    define(tensor.name, defined);
    constants.set(tensor.name, decodeTensor(tensor));
  }
  return constants;
}

/** Extents that the file names, leaves open or gives as 0 or −1 are free. */
function graphInput({ name, type }: ValueInfoProto): GraphInput {
  const value = type?.value;
  if (value?.case !== "tensorType" || !value.value.shape) {
    throw invalid(name, `The input "${name}" is not a tensor of known rank.`);
  }
  const shape = value.value.shape.dim.map(({ value: extent }) => {
    if (extent.case !== "dimValue" || extent.value <= 0n) return null;
    if (extent.value > MAX_EXTENT) {
      throw invalid(name, `The input "${name}" has an axis of ${extent.value} entries.`);
    }
    return Number(extent.value);
  });
  return { name, type: supportedType(value.value.elemType, name), shape };
}

/** How many nodes read every tensor of the main graph. */
export function readers(nodes: readonly Pick<NodeProto, "input">[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of nodes.flatMap(({ input }) => input)) {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

/**
 * Whether the node widens a weight that is stored in half precision. Where nothing else reads that weight,
 * what the node makes is the weight: training can change it, and it is stored rounded again.
 */
function widens({ op, domain, inputs, attributes }: Node, constants: Graph["constants"]) {
  const type = constants.get(inputs[0]!)?.type;
  const to = attributes.get("to")?.value;
  const isHalf = type === "float16" || type === "bfloat16";
  return op === "Cast" && domain === "" && isHalf && Number(to) === ELEMENT_CODES.float32;
}

/** Calls of one function share its tensors: a small file cannot ask for them many times. */
function decodeOnce(): typeof decodeTensor {
  const known = new Map<TensorProto, Tensor>();
  return (proto, name) => {
    const tensor = known.get(proto) ?? decodeTensor(proto, name);
    known.set(proto, tensor);
    return tensor;
  };
}

/** A node of a file. Throws `MODEL_INVALID` if it returns nothing. */
export function decodeNode(proto: NodeProto, decode: typeof decodeTensor): Node {
  const output = proto.output.find((name) => name !== "");
  if (output === undefined) {
    throw invalid(proto.name, `The ${proto.opType} node "${proto.name}" has no output.`);
  }
  return {
    op: proto.opType,
    domain: proto.domain,
    name: proto.name || output,
    inputs: proto.input,
    outputs: proto.output,
    attributes: new Map(proto.attribute.map((it) => [it.name, decodeAttribute(it, decode)])),
  };
}

/** ONNX Runtime refuses two nodes of one name; the second is called after its output. */
export function uniquelyNamed(nodes: readonly Node[]): Node[] {
  const taken = new Set<string>();
  return nodes.map((node) => {
    let name = node.name;
    if (taken.has(name)) name = node.outputs.find((it) => it !== "")!;
    while (taken.has(name)) name += "~";
    taken.add(name);
    return { ...node, name };
  });
}

function checkOutputs(
  outputs: readonly string[],
  nodes: readonly Node[],
  given: ReadonlySet<string>,
): void {
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const missing = outputs.find((name) => !made.has(name) && !given.has(name));
  if (missing !== undefined) {
    throw invalid(missing, `Nothing defines the model's output "${missing}".`);
  }
}

function invalid(place: string, message: string): AntidoteError {
  return new AntidoteError("MODEL_INVALID", message, {
    place,
    next: "Export the model again, or check it with `onnx.checker.check_model`.",
  });
}
