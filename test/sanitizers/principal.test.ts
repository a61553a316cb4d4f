import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { describe, expect, test } from "vitest";
import { Random } from "../../src/core/random.ts";
import { principalCoordinates } from "../../src/sanitizers/principal.ts";

/** Normal values, [n,d]; the standard deviation of column i is `spread(i)`. */
function normal(height: number, width: number, spread: (column: number) => number): Float32Array {
  const random = Random.fromSeed(1);
  return Float32Array.from(
    { length: height * width },
    (_, i) => 3 + spread(i % width) * random.normal(),
  );
}

/** All variances along principal axes, largest first, from the whole covariance matrix. */
function allVariances(rows: Float32Array, width: number): number[] {
  const matrix = Matrix.from1DArray(rows.length / width, width, rows).center("column");
  const covariance = matrix
    .transpose()
    .mmul(matrix)
    .div(rows.length / width);
  return new EigenvalueDecomposition(covariance).realEigenvalues.sort((a, b) => b - a);
}

describe.each([
  ["variances that fall", 300, 80, (i: number) => 1 / (1 + i)],
  ["variances that hardly differ", 300, 80, () => 1],
  ["fewer rows than columns", 25, 80, () => 1],
  ["fewer axes than wanted", 300, 6, () => 1],
  ["one large axis", 300, 80, (i: number) => (i === 7 ? 1e4 : 1)],
] as const)("%s", (_, height, width, spread) => {
  const rows = normal(height, width, spread);
  const { coordinates, variances } = principalCoordinates(rows, width, 10, Random.fromSeed(2));
  const k = variances.length;

  test("are those of the covariance matrix", () => {
    const all = allVariances(rows, width);
    expect(k).toBe(Math.min(10, width));
    for (const [axis, variance] of variances.entries()) {
      expect(Math.abs(variance - all[axis]!)).toBeLessThan(1e-9 * all[0]!);
    }
  });

  test("are those of the coordinates, which are uncorrelated", () => {
    for (let a = 0; a < k; a++) {
      for (let b = 0; b <= a; b++) {
        let sum = 0;
        for (let row = 0; row < height; row++) {
          sum += (coordinates[row * k + a]! * coordinates[row * k + b]!) / height;
        }
        expect(Math.abs(sum - (a === b ? variances[a]! : 0))).toBeLessThan(1e-8 * variances[0]!);
      }
    }
  });
});
