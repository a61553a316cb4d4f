import { AntidoteError } from "../core/errors.ts";
import type { NodeProto } from "./proto/generated/onnx_pb.ts";
import { nestedNodes, subgraphs } from "./subgraphs.ts";

/** QuantizeLinear, DynamicQuantizeLinear, QLinearConv, ConvInteger, com.microsoft.MatMulNBits, … */
const QUANTISED =
  /^(Dynamic)?QuantizeLinear$|^DequantizeLinear$|^QLinear|Integer|NBits$|^QAttention$/;

/** Throws `MODEL_QUANTISED` if an operator computes with quantised values: it has no gradient. */
export function refuseQuantised(nodes: readonly NodeProto[]): void {
  const all = nodes.flatMap((node) => [
    node,
    ...subgraphs(node).flatMap((g) => [...nestedNodes(g)]),
  ]);
  const found = all.find(({ opType }) => QUANTISED.test(opType));
  if (!found) return;
  throw new AntidoteError(
    "MODEL_QUANTISED",
    `The model is quantised: it uses the operator ${found.opType}, whose rounding has no gradient.`,
    {
      place: found.name || found.output[0] || found.opType,
      next: "Use the float32 model that it was made from.",
    },
  );
}
