import { create, isMessage, toBinary } from "@bufbuild/protobuf";
import { invariant } from "../core/errors.ts";
import { ATTRIBUTE_TYPES } from "./attributes.ts";
import { ELEMENT_CODES } from "./element-types.ts";
import type { Attribute, Graph, GraphInput, Node, StaticGraph } from "./graph.ts";
import {
  type AttributeProto,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "./proto/generated/onnx_pb.ts";
import { encodeTensor } from "./tensors.ts";

/** Version of the file format of encoded graphs: constants need not be inputs, every type exists. */
const IR_VERSION = 10n;

/** Operators outside the standard domain (`com.microsoft`) have stayed at their first version. */
const OTHER_DOMAIN_VERSION = 1n;

/** A graph whose tensors may have extents that are open (null), such as the batch size. */
export interface OpenGraph extends Graph {
  readonly values: ReadonlyMap<string, GraphInput>;
}

/**
 * A graph as the bytes of an ONNX model, ready for ONNX Runtime. Constants are initializers. Outputs
 * without an entry in `values` are written without a type; ONNX Runtime infers it.
 */
export function encodeGraph(graph: StaticGraph | OpenGraph): Uint8Array<ArrayBuffer> {
  const domains = new Set(graph.nodes.map((node) => node.domain));
  domains.delete("");
  const model = create(ModelProtoSchema, {
    irVersion: IR_VERSION,
    producerName: "antidote",
    opsetImport: [
      { domain: "", version: BigInt(graph.opset) },
      ...Array.from(domains, (domain) => ({ domain, version: OTHER_DOMAIN_VERSION })),
    ],
    graph: create(GraphProtoSchema, {
      name: "graph",
      node: graph.nodes.map(encodeNode),
      initializer: Array.from(graph.constants, ([name, value]) => encodeTensor(value, name)),
      input: graph.inputs.map(encodeValue),
      output: graph.outputs.map((name) => {
        const value = graph.values.get(name);
        return value ? encodeValue(value) : create(ValueInfoProtoSchema, { name });
      }),
    }),
  });
  return toBinary(ModelProtoSchema, model);
}

function encodeNode(node: Node): NodeProto {
  return create(NodeProtoSchema, {
    opType: node.op,
    domain: node.domain,
    name: node.name,
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: Array.from(node.attributes, ([name, value]) => encodeAttribute(name, value)),
  });
}

function encodeAttribute(name: string, { kind, value }: Attribute): AttributeProto {
  const proto = (type: number, fields: Parameters<typeof create<typeof AttributeProtoSchema>>[1]) =>
    create(AttributeProtoSchema, { ...fields, name, type });
  switch (kind) {
    case "int":
      return proto(ATTRIBUTE_TYPES.int, { i: BigInt(value) });
    case "float":
      return proto(ATTRIBUTE_TYPES.float, { f: value });
    case "string":
      return proto(ATTRIBUTE_TYPES.string, { s: utf8(value) });
    case "ints":
      return proto(ATTRIBUTE_TYPES.ints, { ints: value.map(BigInt) });
    case "floats":
      return proto(ATTRIBUTE_TYPES.floats, { floats: [...value] });
    case "strings":
      return proto(ATTRIBUTE_TYPES.strings, { strings: value.map(utf8) });
    case "tensor":
      return proto(ATTRIBUTE_TYPES.tensor, { t: encodeTensor(value) });
    case "graph":
      invariant(isMessage(value, GraphProtoSchema), `the attribute "${name}" holds no graph`);
      return proto(ATTRIBUTE_TYPES.graph, { g: value });
    case "opaque":
      invariant(
        isMessage(value, AttributeProtoSchema),
        `the attribute "${name}" cannot be written`,
      );
      return value;
  }
}

function encodeValue({ name, type, shape }: GraphInput): ValueInfoProto {
  const dim = shape.map((extent, axis) => ({
    value:
      extent === null
        ? { case: "dimParam" as const, value: axis === 0 ? "batch" : `${name}_${axis}` }
        : { case: "dimValue" as const, value: BigInt(extent) },
  }));
  return create(ValueInfoProtoSchema, {
    name,
    type: {
      value: { case: "tensorType", value: { elemType: ELEMENT_CODES[type], shape: { dim } } },
    },
  });
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
