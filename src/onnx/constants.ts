import { AntidoteError } from "../core/errors.ts";
import { float32, int64, type Tensor } from "../core/tensor.ts";
import { describe, type Node } from "./graph.ts";

/** The value of a Constant node. Throws `MODEL_UNSUPPORTED_TYPE` on text and sparse tensors. */
export function constantOf(node: Node): Tensor {
  for (const [name, { kind, value }] of node.attributes) {
    if (name === "value" && kind === "tensor") return value;
    if (name === "value_float" && kind === "float") return float32([], [value]);
    if (name === "value_floats" && kind === "floats") return float32([value.length], value);
    if (name === "value_int" && kind === "int") return int64([value], []);
    if (name === "value_ints" && kind === "ints") return int64(value);
  }
  const form = [...node.attributes.keys()].join(", ") || "no value";
  throw new AntidoteError(
    "MODEL_UNSUPPORTED_TYPE",
    `The ${describe(node)} holds ${form}, not a dense tensor of numbers.`,
    { place: node.name, next: "Export the model with dense weights." },
  );
}
