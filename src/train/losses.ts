import { invariant } from "../core/errors.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { Value } from "../onnx/graph.ts";

/**
 * The average over the rows that count.
 * @param rows [N]
 * @param mask [N] float32, 1 for rows that count and 0 for those that only fill the batch; absent: all count
 */
export function rowMean(b: GraphBuilder, rows: Value, mask?: Value): Value {
  return mask ? b.div(b.sum(b.mul(rows, mask)), b.sum(mask)) : b.mean(rows);
}

/**
 * Cross-entropy of every row, −Σ_k q_k log softmax(logits)_k, with q = (1−s)·onehot(label) + s/K.
 * @param logits [N,K]
 * @param labels [N] int64
 * @param smoothing s in [0, 1)
 * @returns [N]
 */
export function crossEntropy(b: GraphBuilder, logits: Value, labels: Value, smoothing = 0): Value {
  const classes = logits.shape[1]!;
  const logp = b.logSoftmax(logits); // [N,K]
  let q = b.oneHot(labels, classes); // [N,K]
  if (smoothing !== 0) {
    q = b.add(b.mul(q, b.scalar(1 - smoothing)), b.scalar(smoothing / classes));
  }
  return b.unary("Neg", b.sum(b.mul(q, logp), [1]));
}

/**
 * Distillation of every row at temperature T: T²·KL(softmax(teacher/T) ‖ softmax(student/T)). The
 * factor keeps the size of the gradient independent of T (Hinton, Vinyals & Dean 2015, section 2).
 * @param teacher [N,K], not differentiated if nothing above it is
 * @param student [N,K]
 * @returns [N]
 */
export function distillation(
  b: GraphBuilder,
  teacher: Value,
  student: Value,
  temperature: number,
): Value {
  invariant(temperature > 0, "a temperature is positive");
  const scaled = (logits: Value) =>
    temperature === 1 ? logits : b.mul(logits, b.scalar(1 / temperature));
  const from = b.logSoftmax(scaled(teacher)); // [N,K]
  const to = b.logSoftmax(scaled(student)); // [N,K]
  const divergence = b.sum(b.mul(b.unary("Exp", from), b.sub(from, to)), [1]); // [N]
  return temperature === 1 ? divergence : b.mul(divergence, b.scalar(temperature ** 2));
}

/** 1 for every row whose highest logit is that of its label, else 0. [N,K], [N] int64 → [N] float32. */
export function correct(b: GraphBuilder, logits: Value, labels: Value): Value {
  return b.cast(b.equal(b.argMax(logits, 1), labels), "float32");
}
