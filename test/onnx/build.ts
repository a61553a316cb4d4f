import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { Tensor } from "../../src/core/tensor.ts";
import { ATTRIBUTE_TYPES } from "../../src/onnx/attributes.ts";
import { ELEMENT_CODES } from "../../src/onnx/element-types.ts";
import {
  type AttributeProto,
  AttributeProtoSchema,
  type FunctionProto,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "../../src/onnx/proto/generated/onnx_pb.ts";
import { encodeTensor } from "../../src/onnx/tensors.ts";

type Plain = number | string | readonly number[] | { readonly float: number } | GraphProto | Tensor;

interface Parts {
  opset?: number;
  ir?: number;
  nodes: NodeProto[];
  inputs?: ValueInfoProto[];
  outputs?: ValueInfoProto[];
  constants?: Record<string, Tensor> | TensorProto[];
  functions?: FunctionProto[];
}

export function model({ opset = 18, ir = 8, functions = [], ...parts }: Parts): ModelProto {
  return create(ModelProtoSchema, {
    irVersion: BigInt(ir),
    opsetImport: [
      { domain: "", version: BigInt(opset) },
      { domain: "local", version: 1n },
    ],
    graph: graph(parts),
    functions,
  });
}

export function graph({ nodes, inputs = [], outputs = [], constants = {} }: Parts): GraphProto {
  return create(GraphProtoSchema, {
    name: "test",
    node: nodes,
    input: inputs,
    output: outputs,
    initializer: Array.isArray(constants)
      ? constants
      : Object.entries(constants).map(([name, value]) => encodeTensor(value, name)),
  });
}

export function bytes(proto: ModelProto): Uint8Array<ArrayBuffer> {
  return toBinary(ModelProtoSchema, proto);
}

/** A node; `call` is "Op" or "domain.Op". */
export function node(
  call: string,
  input: string[],
  output: string[],
  attributes: Record<string, Plain> = {},
): NodeProto {
  const [opType, domain = ""] = call.split(".").reverse() as [string, string?];
  const attribute = Object.entries(attributes).map(([name, value]) => attributeProto(name, value));
  return create(NodeProtoSchema, { opType, domain, input, output, attribute });
}

function attributeProto(name: string, value: Plain): AttributeProto {
  const make = (type: number, fields: MessageInitShape<typeof AttributeProtoSchema>) =>
    create(AttributeProtoSchema, { ...fields, name, type });
  if (typeof value === "number") return make(ATTRIBUTE_TYPES.int, { i: BigInt(value) });
  if (typeof value === "string") {
    return make(ATTRIBUTE_TYPES.string, { s: new TextEncoder().encode(value) });
  }
  if ("float" in value) return make(ATTRIBUTE_TYPES.float, { f: value.float });
  if ("$typeName" in value) return make(ATTRIBUTE_TYPES.graph, { g: value });
  if ("shape" in value) return make(ATTRIBUTE_TYPES.tensor, { t: encodeTensor(value) });
  return make(ATTRIBUTE_TYPES.ints, { ints: value.map(BigInt) });
}

/** A tensor among the inputs or outputs; without a shape its rank is unknown. */
export function value(
  name: string,
  shape?: readonly (number | string)[],
  type: Tensor["type"] = "float32",
): ValueInfoProto {
  const dim = shape?.map((extent) => ({
    value:
      typeof extent === "number"
        ? { case: "dimValue" as const, value: BigInt(extent) }
        : { case: "dimParam" as const, value: extent },
  }));
  const tensorType = { elemType: ELEMENT_CODES[type], ...(dim ? { shape: { dim } } : {}) };
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: "tensorType", value: tensorType } },
  });
}
