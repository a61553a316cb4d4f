import { AntidoteError } from "../core/errors.ts";
import type { NodeProto } from "./proto/generated/onnx_pb.ts";
import { nestedNodes, subgraphs } from "./subgraphs.ts";

/** QuantizeLinear, DynamicQuantizeLinear, QLinearConv, ConvInteger, …: they round what flows through the network. */
const ROUNDING = /^(Dynamic)?QuantizeLinear$|^QLinear|Integer|^QAttention$/;

/** Operators that read weights of few bits and round nothing: DequantizeLinear, com.microsoft.MatMulNBits. */
const UNPACKING = /^DequantizeLinear$|NBits$/;

/**
 * Throws `MODEL_QUANTISED` if an operator computes with quantised values: rounding has no gradient, and steps of a
 * repair are too small for weights that are whole numbers.
 */
export function refuseQuantised(nodes: readonly NodeProto[]): void {
  const all = nodes.flatMap((node) => [
    node,
    ...subgraphs(node).flatMap((g) => [...nestedNodes(g)]),
  ]);
  const rounding = all.find(({ opType }) => ROUNDING.test(opType));
  const found = rounding ?? all.find(({ opType }) => UNPACKING.test(opType));
  if (!found) return;
  const why = rounding
    ? "whose rounding has no gradient"
    : "whose weights are stored as whole numbers, so that nothing can tune them";
  throw new AntidoteError(
    "MODEL_QUANTISED",
    `The model is quantised: it uses the operator ${found.opType}, ${why}.`,
    {
      place: found.name || found.output[0] || found.opType,
      next: "Use the float32 model that it was made from.",
    },
  );
}
