import type { Tensor } from "../core/tensor.ts";
import type { Attribute } from "./graph.ts";
import type { AttributeProto, TensorProto } from "./proto/generated/onnx_pb.ts";

/** The numbers that stand for the kinds of attributes in a file (`AttributeProto.AttributeType`). */
export const ATTRIBUTE_TYPES = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
} as const;

/**
 * An attribute of a node in a file. A subgraph is its `GraphProto`; a kind that Antidote does not
 * interpret is the whole `AttributeProto`.
 * @param decode reads a tensor
 */
export function decodeAttribute(
  proto: AttributeProto,
  decode: (tensor: TensorProto, name: string) => Tensor,
): Attribute {
  switch (proto.type) {
    case ATTRIBUTE_TYPES.float:
      return { kind: "float", value: proto.f };
    case ATTRIBUTE_TYPES.int:
      return { kind: "int", value: toInteger(proto.i) };
    case ATTRIBUTE_TYPES.string:
      return { kind: "string", value: text(proto.s) };
    case ATTRIBUTE_TYPES.tensor:
      return proto.t
        ? { kind: "tensor", value: decode(proto.t, proto.name) }
        : { kind: "opaque", value: proto };
    case ATTRIBUTE_TYPES.graph:
      return proto.g ? { kind: "graph", value: proto.g } : { kind: "opaque", value: proto };
    case ATTRIBUTE_TYPES.floats:
      return { kind: "floats", value: proto.floats };
    case ATTRIBUTE_TYPES.ints:
      return { kind: "ints", value: proto.ints.map(toInteger) };
    case ATTRIBUTE_TYPES.strings:
      return { kind: "strings", value: proto.strings.map(text) };
    default:
      return { kind: "opaque", value: proto };
  }
}

/** Integers beyond 2^53 stand for "no limit" in ONNX (the end of a slice); they are cut to that. */
function toInteger(value: bigint): number {
  const limit = Number.MAX_SAFE_INTEGER;
  return Math.max(-limit, Math.min(limit, Number(value)));
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
