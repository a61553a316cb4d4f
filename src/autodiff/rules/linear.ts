import { sizeOf } from "../../core/tensor.ts";
import type { GraphBuilder } from "../../onnx/builder.ts";
import type { Value } from "../../onnx/graph.ts";
import type { Application, Rule } from "../rule.ts";

/** Swaps the last two axes. */
export function transposed(b: GraphBuilder, x: Value): Value {
  const perm = x.shape.map((_, axis) => axis);
  const rank = perm.length;
  [perm[rank - 2], perm[rank - 1]] = [rank - 1, rank - 2];
  return b.transpose(x, perm);
}

/** A vector as a row (left operand) or a column (right operand); matrices stay. */
function asMatrix(b: GraphBuilder, x: Value, side: "left" | "right"): Value {
  if (x.shape.length > 1) return x;
  return b.reshape(x, side === "left" ? [1, x.shape[0]!] : [x.shape[0]!, 1]);
}

/**
 * y = a·b over the last two axes, batches broadcast: da = dy·bᵀ, db = aᵀ·dy, summed over broadcast
 * batches. Where b is one matrix, the batches of a become rows, so that db is one product.
 */
export const matMul: Rule = (application) => {
  const { b: builder } = application;
  const a = asMatrix(builder, application.x, "left"); // [..., m, k]
  const b = asMatrix(builder, application.input(1), "right"); // [..., k, n]
  const rows = a.shape.at(-2)!;
  const inner = a.shape.at(-1)!;
  const columns = b.shape.at(-1)!;
  const batch = application.y.shape.slice(
    0,
    application.y.shape.length -
      (application.x.shape.length > 1 ? 1 : 0) -
      (application.input(1).shape.length > 1 ? 1 : 0),
  );
  const dy = builder.reshape(application.dy, [...batch, rows, columns]); // [..., m, n]
  return [
    () => {
      const da = builder.sumTo(builder.matmul(dy, transposed(builder, b)), a.shape);
      return builder.reshape(da, application.x.shape);
    },
    () => {
      const flat = b.shape.length === 2;
      const left = flat ? builder.reshape(a, [sizeOf(a.shape) / inner, inner]) : a;
      const right = flat ? builder.reshape(dy, [sizeOf(dy.shape) / columns, columns]) : dy;
      const db = builder.matmul(transposed(builder, left), right);
      return builder.reshape(builder.sumTo(db, b.shape), application.input(1).shape);
    },
  ];
};

/** y = α·A·B + β·C, A and B transposed on demand: dA = α·dy·Bᵀ, dB = α·Aᵀ·dy, dC = β·Σ dy. */
export const gemm: Rule = (application) => {
  const transA = application.int("transA", 0);
  const transB = application.int("transB", 0);
  const { x: a } = application;
  const b = application.input(1);
  const product = (left: Value, transLeft: number, right: Value, transRight: number, of: Value) =>
    gemmLike(application, left, transLeft, right, transRight, of);
  return [
    () =>
      transA
        ? product(b, transB, application.dy, 1, a) // dA = (dy·Bᵀ)ᵀ = B·dyᵀ
        : product(application.dy, 0, b, 1 - transB, a),
    () =>
      transB
        ? product(application.dy, 1, a, transA, b) // dB = (Aᵀ·dy)ᵀ = dyᵀ·A
        : product(a, 1 - transA, application.dy, 0, b),
    () => {
      const c = application.input(2);
      const dc = application.b.sumTo(application.dy, c.shape);
      const beta = application.float("beta", 1);
      return beta === 1 ? dc : application.b.mul(dc, application.b.scalar(beta));
    },
  ];
};

/** α·left·right as one Gemm with the shape of `of`. */
function gemmLike(
  application: Application,
  left: Value,
  transA: number,
  right: Value,
  transB: number,
  of: Value,
): Value {
  const alpha = { float: application.float("alpha", 1) };
  return application.b.op("Gemm", [left, right], { alpha, transA, transB }, of);
}
