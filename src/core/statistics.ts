import { invariant } from "./errors.ts";

/** A range that holds the true value with 95 % confidence. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** A share of `count` images, in [0,1], with its 95 % interval. */
export interface Proportion extends Interval {
  readonly value: number;
  readonly count: number;
}

/** The 97.5 % quantile of the standard normal distribution. */
const Z = 1.959963984540054;

/**
 * The share `hits / count` with its Wilson score interval (E. B. Wilson, 1927): unlike the textbook
 * p ± z·√(p(1−p)/n) it stays within [0,1] and keeps its width at shares of 0 and 1.
 * @param hits whole number in 0 … count
 * @param count at least 1
 */
export function proportion(hits: number, count: number): Proportion {
  invariant(
    Number.isInteger(count) && count >= 1 && hits >= 0 && hits <= count,
    `${hits} of ${count} is not a share`,
  );
  const p = hits / count;
  const z2 = (Z * Z) / count;
  // centre = (p + z²/2n) / (1 + z²/n),  margin = z·√(p(1−p)/n + z²/4n²) / (1 + z²/n)
  const centre = (p + z2 / 2) / (1 + z2);
  const margin = (Z * Math.sqrt((p * (1 - p)) / count + z2 / (4 * count))) / (1 + z2);
  // Rounding must not leave an interval that excludes its own value at p = 0 or 1.
  return {
    value: p,
    low: Math.max(0, Math.min(p, centre - margin)),
    high: Math.min(1, Math.max(p, centre + margin)),
    count,
  };
}

/** How much a share fell from one measurement to another on the same images. */
export interface PairedDrop extends Interval {
  readonly value: number;
  /** Standard error. */
  readonly error: number;
}

/**
 * The drop of a share measured twice on the same n images, with its 95 % interval: only the images that
 * changed count (McNemar 1947). With b lost and c won, (b − c)/n ± z·√(b + c − (b − c)²/n)/n.
 * @param before 1 where an image was right, else 0; [N]
 * @param after the same images later
 */
export function pairedDrop(before: ArrayLike<number>, after: ArrayLike<number>): PairedDrop {
  const n = before.length;
  invariant(n >= 1 && after.length === n, "paired measurements are of the same images");
  let [lost, won] = [0, 0];
  for (let i = 0; i < n; i++) {
    if (before[i]! > after[i]!) lost++;
    if (before[i]! < after[i]!) won++;
  }
  const value = (lost - won) / n;
  const error = Math.sqrt(lost + won - (lost - won) ** 2 / n) / n;
  return { value, error, low: value - Z * error, high: value + Z * error };
}

/**
 * The 97.5 % quantile of Student's t distribution, by its expansion around the normal quantile z
 * (Abramowitz & Stegun, 26.7.5): z + (z³+z)/4ν + (5z⁵+16z³+3z)/96ν² + (3z⁷+19z⁵+17z³−15z)/384ν³. Within
 * 1 % from ν = 4 on.
 * @param freedom ν, degrees of freedom, at least 1
 */
export function studentQuantile(freedom: number): number {
  const [z, v] = [Z, freedom];
  return (
    z +
    (z ** 3 + z) / (4 * v) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * v ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * v ** 3)
  );
}
