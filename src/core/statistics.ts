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
