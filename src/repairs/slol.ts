import { float32 } from "../core/tensor.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { Value } from "../onnx/graph.ts";

/** Smallest share of two centroids' squares that their squared distance counts as: float32 tells no less from nothing. */
const COINCIDENT = 1e-7;

/** Smallest norm that a cosine divides by, as PyTorch's `cosine_similarity`. */
const TINY = 1e-8;

/**
 * The Symmetric Latent Orientation Loss of Pivotal Tuning (Lukas & Kerschbaum, Section IV-A, Algorithm 3)
 * over the K classes of which the batch has images. With the class centroids of the latents C (pivot)
 * and Ĉ (tuned):
 *
 *     SLOL = Σ_{i<j} cos(C_i − C_j, Ĉ_i − Ĉ_j) + cos(Ĉ_i, Ĉ_j)
 *
 * @param pivot latents of the suspect model, [N,d]
 * @param tuned latents of the model under repair, [N,d]
 * @param labels [N] int64
 * @param form "paper" as above. "released" replaces the second term by what the authors' code computes:
 *   the Frobenius norm of M_ij − M_jj, where M = ĈᵀĈ/K is [d,d].
 * @returns a scalar
 */
export function slol(
  b: GraphBuilder,
  pivot: Value,
  tuned: Value,
  labels: Value,
  classes: number,
  form: "paper" | "released",
): Value {
  const { of, present, counted } = centroids(b, labels, classes);
  const c = of(pivot); // [K,d]
  const t = of(tuned); // [K,d]
  const cross = gram(b, c, t);
  const own = gram(b, t, t);
  // 1 for every pair i < j of classes that the batch has
  const upper = b.constant(float32([classes, classes], upperTriangle(classes)));
  const pairs = b.mul(upper, b.mul(b.reshape(present, [classes, 1]), present)); // [K,K]
  // ⟨C_i−C_j, Ĉ_i−Ĉ_j⟩ from Gram matrices, never a K×K×d tensor
  const orientation = cosine(
    b,
    differences(b, cross),
    distances(b, gram(b, c, c)),
    distances(b, own),
  );
  const oriented = b.sum(b.mul(orientation, pairs));
  if (form === "released") return b.add(oriented, releasedSpread(b, t, counted));
  const squared = diagonal(b, own); // [K]
  const similarity = cosine(b, own, b.reshape(squared, [classes, 1]), squared); // [K,K]
  return b.add(oriented, b.sum(b.mul(similarity, pairs)));
}

/** Averages latents per class; absent classes give zero rows. */
function centroids(b: GraphBuilder, labels: Value, classes: number) {
  const member = b.oneHot(labels, classes); // [N,K]
  const sizes = b.sum(member, [0]); // [K]
  const present = b.min(sizes, b.scalar(1)); // [K], 0 or 1
  const weight = b.transpose(b.div(member, b.max(sizes, b.scalar(1))), [1, 0]); // [K,N]
  return {
    of: (latent: Value): Value => b.matmul(weight, latent),
    present,
    counted: b.sum(present),
  };
}

/** a·bᵀ, [K,K]. */
function gram(b: GraphBuilder, left: Value, right: Value): Value {
  return b.matmul(left, b.transpose(right, [1, 0]));
}

/** The diagonal of a square matrix, [K]. */
function diagonal(b: GraphBuilder, matrix: Value): Value {
  const size = matrix.shape[0]!;
  const identity = new Float32Array(size * size);
  for (let i = 0; i < size; i++) identity[i * size + i] = 1;
  return b.sum(b.mul(matrix, b.constant(float32([size, size], identity))), [1]);
}

/** G_ii − G_ij − G_ji + G_jj for every pair, [K,K]. */
function differences(b: GraphBuilder, matrix: Value): Value {
  return b.sub(sums(b, matrix), b.add(matrix, b.transpose(matrix, [1, 0])));
}

/** The same of G = C·Cᵀ: ‖C_i − C_j‖², but no less than rounding leaves of it. */
function distances(b: GraphBuilder, matrix: Value): Value {
  const least = b.mul(sums(b, matrix), b.scalar(COINCIDENT));
  return b.max(differences(b, matrix), least);
}

/** G_ii + G_jj for every pair, [K,K]. */
function sums(b: GraphBuilder, matrix: Value): Value {
  const own = diagonal(b, matrix);
  return b.add(b.reshape(own, [matrix.shape[0]!, 1]), own);
}

/** dot / (max(√left, tiny) · max(√right, tiny)); the bound also keeps the slope of √ finite at zero. */
function cosine(b: GraphBuilder, dot: Value, left: Value, right: Value): Value {
  const norm = (square: Value) => b.unary("Sqrt", b.max(square, b.scalar(TINY ** 2)));
  return b.div(dot, b.mul(norm(left), norm(right)));
}

/** ‖M − diag(M)‖_F with M = ĈᵀĈ/K, where diag(M) is a vector broadcast over rows: entries M_ij − M_jj. */
function releasedSpread(b: GraphBuilder, tuned: Value, counted: Value): Value {
  const moment = b.div(b.matmul(b.transpose(tuned, [1, 0]), tuned), counted); // [d,d]
  const spread = b.sub(moment, diagonal(b, moment));
  return b.unary("Sqrt", b.max(b.sumSquares(spread), b.scalar(TINY ** 2)));
}

function upperTriangle(size: number): Float32Array {
  return Float32Array.from({ length: size * size }, (_, at) =>
    at % size > Math.floor(at / size) ? 1 : 0,
  );
}
