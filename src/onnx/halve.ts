import { create } from "@bufbuild/protobuf";
import { ATTRIBUTE_TYPES } from "./attributes.ts";
import { ELEMENT_CODES } from "./element-types.ts";
import {
  AttributeProtoSchema,
  type ModelProto,
  NodeProtoSchema,
} from "./proto/generated/onnx_pb.ts";
import { convertFloat, decodeTensor, encodeTensor } from "./tensors.ts";

/**
 * Stores the float32 initializers that have axes in half precision, in place: each is rounded to float16 and
 * widened again by a Cast, so that everything is still computed in float32. The file has half the size.
 */
export function storeInHalf({ graph }: ModelProto): void {
  if (!graph) return;
  const casts = graph.initializer.flatMap((stored, at) => {
    const { name, dims, dataType } = stored;
    if (dataType !== ELEMENT_CODES.float32 || dims.length === 0) return [];
    const narrow = `${name}/float16`;
    graph.initializer[at] = encodeTensor(convertFloat(decodeTensor(stored), "float16"), narrow);
    const to = { name: "to", type: ATTRIBUTE_TYPES.int, i: BigInt(ELEMENT_CODES.float32) };
    return create(NodeProtoSchema, {
      opType: "Cast",
      name: `${name}/widen`,
      input: [narrow],
      output: [name],
      attribute: [create(AttributeProtoSchema, to)],
    });
  });
  graph.node.unshift(...casts);
}
