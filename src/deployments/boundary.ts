import { errorFunction, mean, probit, standardDeviation } from "simple-statistics";

/** How the boundary is read off the entropies of trusted images. */
export type BoundaryForm = "normal" | "empirical";

/**
 * The entropy below which a share `rate` of images like these lies.
 * "normal": that quantile of the normal distribution with their mean and standard deviation, as in STRIP; it can lie below
 * all of them, and below zero. "empirical": so that at most that share of these very images lies below.
 * @param entropies at least one
 * @param rate in (0,1)
 */
export function boundary(entropies: Float64Array, rate: number, form: BoundaryForm): number {
  if (form === "empirical") return entropies.toSorted()[Math.floor(rate * entropies.length)]!;
  const values = [...entropies];
  return mean(values) + normalQuantile(rate) * standardDeviation(values);
}

/** Φ⁻¹(p): Newton's steps on the library's estimate, which is right to two digits. */
export function normalQuantile(p: number): number {
  let z = probit(p);
  for (let step = 0; step < 3; step++) {
    const below = (1 + errorFunction(z / Math.SQRT2)) / 2;
    z -= ((below - p) * Math.sqrt(2 * Math.PI)) / Math.exp((-z * z) / 2);
  }
  return z;
}
