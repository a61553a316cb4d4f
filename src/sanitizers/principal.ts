import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import type { Random } from "../core/random.ts";

/** The rows of a matrix in the axes along which they vary most. */
export interface PrincipalCoordinates {
  /** Coordinates of the centred rows, most variance first, [n,k] row after row. Signs are arbitrary. */
  readonly coordinates: Float64Array;
  /** Variance along every axis, mean of squares, [k]. */
  readonly variances: Float64Array;
}

/** An axis with less than this share of the sum of all squares is rounding: latents are float32, right to 6·10⁻⁸. */
const RANK = 1e-13;
/** An axis is found when ‖XᵀX·v − λ·v‖ is below this share of the largest λ. */
const RESIDUAL = 1e-9;

/**
 * Principal component analysis: with X [n,d] centred and X = U·S·Vᵀ, the first columns of X·V. Only those are computed:
 * memory is that of X, time n·d for each of the few dozen steps that they take.
 * @param rows [n,d] row after row
 * @param axes how many axes are wanted; fewer come back where the rows span fewer
 * @param random draws the direction that the search starts in; the axes do not depend on it but for rounding
 */
export function principalCoordinates(
  rows: Float32Array,
  width: number,
  axes: number,
  random: Random,
): PrincipalCoordinates {
  const height = rows.length / width;
  const centred = centredRows(rows, width); // [n,d]
  const row = (at: number) => centred.subarray(at * width, (at + 1) * width);
  const moment = (v: Float64Array) => {
    const image = new Float64Array(width); // XᵀX·v
    for (let at = 0; at < height; at++) add(image, dot(row(at), v), row(at));
    return image;
  };
  const floor = RANK * dot(rows, rows);
  const start = Float64Array.from({ length: width }, () => random.normal());
  const found = leadingEigenvectors(moment, start, axes).filter(({ value }) => value > floor);
  const k = found.length;
  const coordinates = new Float64Array(height * k);
  for (let at = 0; at < height; at++) {
    for (const [axis, { vector }] of found.entries()) {
      coordinates[at * k + axis] = dot(row(at), vector);
    }
  }
  return { coordinates, variances: Float64Array.from(found, ({ value }) => value / height) };
}

function centredRows(rows: Float32Array, width: number): Float64Array {
  const height = rows.length / width;
  const mean = new Float64Array(width);
  for (let i = 0; i < rows.length; i++) mean[i % width]! += rows[i]! / height;
  return Float64Array.from(rows, (value, i) => value - mean[i % width]!);
}

interface Eigenpair {
  readonly value: number;
  readonly vector: Float64Array;
}

/**
 * The largest eigenvalues of a symmetric, positive semidefinite matrix A with their unit vectors (Lanczos 1950): in the
 * basis that orthogonalising v, A·v, A²·v, … yields, A is tridiagonal, and the eigenvalues of its upper left corner soon
 * agree with the largest ones. Of eigenvalues that are exactly equal, one is found.
 * @param apply v ↦ A·v, in an array of its own
 */
function leadingEigenvectors(
  apply: (v: Float64Array) => Float64Array,
  start: Float64Array,
  count: number,
): Eigenpair[] {
  const basis: Float64Array[] = [];
  const diagonal: number[] = [];
  const beside: number[] = [];
  let next = scaled(start, 1 / Math.sqrt(dot(start, start)));
  for (let check = 2 * count; ; ) {
    basis.push(next);
    const rest = apply(next);
    diagonal.push(dot(rest, next));
    // Twice: after once, rounding has left enough of the old directions for them to grow again.
    for (const old of [...basis, ...basis]) add(rest, -dot(rest, old), old);
    const length = Math.sqrt(dot(rest, rest));
    const complete =
      basis.length === start.length || length <= Number.EPSILON * Math.max(...diagonal);
    if (complete || basis.length >= check) {
      const { values, vectors } = tridiagonal(diagonal, beside, count);
      const last = basis.length - 1;
      const converged = vectors.every((s) => length * Math.abs(s[last]!) < RESIDUAL * values[0]!);
      if (complete || converged) {
        return values.map((value, i) => ({ value, vector: combined(basis, vectors[i]!) }));
      }
      check = Math.ceil(1.5 * basis.length);
    }
    beside.push(length);
    next = scaled(rest, 1 / length);
  }
}

/** The largest eigenvalues of a symmetric tridiagonal matrix, largest first, with their unit vectors. */
function tridiagonal(diagonal: readonly number[], beside: readonly number[], count: number) {
  const matrix = Matrix.diag([...diagonal]);
  for (const [i, value] of beside.entries()) {
    matrix.set(i, i + 1, value);
    matrix.set(i + 1, i, value);
  }
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(matrix, {
    assumeSymmetric: true,
  });
  const order = [...realEigenvalues.keys()].sort(
    (a, b) => realEigenvalues[b]! - realEigenvalues[a]!,
  );
  const kept = order.slice(0, count);
  return {
    values: kept.map((at) => realEigenvalues[at]!),
    vectors: kept.map((at) => eigenvectorMatrix.getColumn(at)),
  };
}

function combined(basis: readonly Float64Array[], weights: readonly number[]): Float64Array {
  const sum = new Float64Array(basis[0]!.length);
  for (const [i, vector] of basis.entries()) add(sum, weights[i]!, vector);
  return sum;
}

function scaled(vector: Float64Array, factor: number): Float64Array {
  return vector.map((value) => factor * value);
}

/** a ← a + factor·b */
function add(a: Float64Array, factor: number, b: Float64Array): void {
  for (let i = 0; i < a.length; i++) a[i]! += factor * b[i]!;
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
