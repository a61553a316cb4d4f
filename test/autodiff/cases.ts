import { readFileSync } from "node:fs";
import {
  type DataType,
  float32,
  int64,
  type Shape,
  type Tensor,
  tensor,
} from "../../src/core/tensor.ts";
import { type Attributes, GraphBuilder } from "../../src/onnx/builder.ts";
import type { StaticGraph, Value } from "../../src/onnx/graph.ts";
import { fill } from "../train/fill.ts";

/** An operand: float32 of a range (by default ±1), optionally in steps of 1/levels so that values tie. */
interface Operand {
  readonly shape: Shape;
  readonly type?: "bool";
  readonly low?: number;
  readonly high?: number;
  readonly levels?: number;
}

/** Integers, by default a vector, or float32 numbers that are part of the operator's form. */
type Constant =
  | { readonly ints: readonly number[]; readonly shape?: Shape }
  | { readonly floats: readonly number[] };

/** One node to differentiate; `cases.json` holds them, `goldens/generate.py` computes what PyTorch says. */
export interface Case {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly (Operand | Constant | null)[];
  readonly attributes?: Attributes;
  /** The same in PyTorch, the operands called a, b, c, … */
  readonly torch: string;
  /** Operands that no gradient is taken for. */
  readonly skip?: readonly number[];
  /** Type of the result, if not float32. */
  readonly result?: "float64";
  /** Whether the node also gives the batch's statistics (BatchNormalization in training mode). */
  readonly statistics?: boolean;
  /** Whether the node also gives the places that its entries come from (TopK). */
  readonly places?: boolean;
  /** "float32" where ONNX Runtime has no float64 kernel for the operator or its adjoint. */
  readonly precision?: "float32";
  /** The operands sit on kinks, where finite differences mean nothing. */
  readonly kinked?: boolean;
  /** The operator set, where it has to be newer than the builder's. */
  readonly opset?: number;
}

export interface Golden {
  /** Shapes of the results. */
  readonly shapes: readonly Shape[];
  /** For every float operand dL/d operand, where L = Σ y·r, r the weights of `lossWeights`. */
  readonly gradients: readonly (readonly number[])[];
}

const read = (path: string) => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));

export const CASES = read("cases.json") as readonly Case[];
export const GOLDENS = (read("goldens/operators.json") as { cases: Record<string, Golden> }).cases;

/** The value of operand `position`, as `operand` in `generate.py`. */
export function operand(spec: Operand, position: number): Tensor {
  const uniform = fill(position + 1, spec.shape).data;
  if (spec.type === "bool") {
    return tensor(
      "bool",
      spec.shape,
      Uint8Array.from(uniform, (value) => (value > 0 ? 1 : 0)),
    );
  }
  const { low = -1, high = 1, levels } = spec;
  return float32(
    spec.shape,
    Float32Array.from(uniform, (value) => {
      const scaled = low + ((high - low) * (value + 1)) / 2;
      return levels ? Math.floor(scaled * levels + 0.5) / levels : scaled;
    }),
  );
}

/** A case as a graph: operands are the inputs "0", "1", …, the loss is a scalar. */
export interface Built {
  readonly b: GraphBuilder;
  readonly loss: Value;
  readonly feeds: Record<string, Tensor>;
  /** The operands that gradients are taken for, with their position among all float operands. */
  readonly wrt: readonly { readonly value: Value; readonly golden: readonly number[] }[];
  /** The graph so far, at the operator set that the case needs. */
  readonly build: () => StaticGraph;
}

export function buildCase(spec: Case, golden: Golden): Built {
  const b = new GraphBuilder();
  const feeds: Record<string, Tensor> = {};
  const wrt: { value: Value; golden: readonly number[] }[] = [];
  let float = 0;
  const inputs = spec.inputs.map((input, position) => {
    if (input === null) return undefined;
    if ("ints" in input) return b.constant(int64(input.ints, input.shape));
    if ("floats" in input) return b.constant(float32([input.floats.length], input.floats));
    const value = operand(input, position);
    feeds[`${position}`] = value;
    const declared = b.input(`${position}`, value.type, value.shape);
    if (value.type === "float32") {
      const gradient = golden.gradients[float++]!;
      if (!spec.skip?.includes(position)) wrt.push({ value: declared, golden: gradient });
    }
    return declared;
  });
  const shapes = spec.statistics
    ? [...golden.shapes, ...repeat(inputs[1]!.shape, 2)]
    : golden.shapes;
  const type = spec.result ?? "float32";
  const outputs: { type: DataType; shape: Shape }[] = shapes.map((shape) => ({ type, shape }));
  if (spec.places) outputs.push({ type: "int64", shape: shapes[0]! });
  const results = b
    .emit(spec.op, inputs, spec.attributes ?? {}, outputs)
    .slice(0, golden.shapes.length);
  const parts = results.map((result, k) => {
    const weights = b.constant(fill(100 + k, result.shape));
    return b.sum(b.mul(b.cast(result, "float32"), weights));
  });
  const loss = parts.reduce((total, part) => b.add(total, part));
  const build = () => ({ ...b.build(), opset: spec.opset ?? b.build().opset });
  return { b, loss, feeds, wrt, build };
}

function repeat(shape: Shape, times: number): Shape[] {
  return Array.from({ length: times }, () => shape);
}
