import { invariant } from "./errors.ts";

/** A range that holds the true value with 95 % confidence. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** A number with its 95 % interval. */
export interface Estimate extends Interval {
  readonly value: number;
}

/** A share of `count` images, in [0,1], with its 95 % interval. */
export interface Proportion extends Interval {
  readonly value: number;
  readonly count: number;
}

/** The 97.5 % quantile of the standard normal distribution. */
export const Z = 1.959963984540054;

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
 * The drop of a share measured twice on the same n images: only those that changed count. With d the loss of an image it is
 * Σd/n, its standard error √(Σd² − (Σd)²/n)/n; where d is −1, 0 or 1 that is McNemar's (1947). The 95 % interval, z standard
 * errors to either side, is that of two images more, one lost and one gained (Bonett & Price, 2012), or it would have no width
 * where none changed.
 * @param before how far an image was right, in [0,1]: 0 or 1, or the share of several looks at it; [N]
 * @param after the same images later
 */
export function pairedDrop(before: ArrayLike<number>, after: ArrayLike<number>): PairedDrop {
  const n = before.length;
  invariant(n >= 1 && after.length === n, "paired measurements are of the same images");
  let [sum, squares] = [0, 0];
  for (let i = 0; i < n; i++) {
    const lost = before[i]! - after[i]!;
    sum += lost;
    squares += lost ** 2;
  }
  const more = n + 2;
  const middle = sum / more;
  const reach = Z * errorOf(sum, squares + 2, more);
  return {
    ...{ value: sum / n, error: errorOf(sum, squares, n) },
    ...{ low: Math.max(-1, middle - reach), high: Math.min(1, middle + reach) },
  };
}

/** The standard error of the mean of n values, by their sum and that of their squares; n, not n − 1, divides. */
function errorOf(sum: number, squares: number, n: number): number {
  // Rounding may leave less than nothing where all values are alike.
  return Math.sqrt(Math.max(0, squares - sum ** 2 / n)) / n;
}

/**
 * The mean with Student's 95 % interval, x̄ ± t(n − 1)·s/√n, within the values that there can be. A bootstrap of three values
 * holds the mean three times out of four; this one keeps its word for few values, where they are about normal.
 * @param values [N]; of a single one nothing is known but the limits
 * @param limits the lowest and the highest value that there can be
 */
export function meanWithInterval(
  values: readonly number[],
  [lowest, highest]: readonly [number, number],
): Estimate {
  const n = values.length;
  invariant(n > 0, "a mean needs values");
  const value = values.reduce((sum, each) => sum + each, 0) / n;
  if (n === 1) return { value, low: lowest, high: highest };
  const squares = values.reduce((sum, each) => sum + (each - value) ** 2, 0);
  const reach = studentQuantile(n - 1) * Math.sqrt(squares / (n - 1) / n);
  return { value, low: Math.max(lowest, value - reach), high: Math.min(highest, value + reach) };
}

/**
 * A quantile of Student's t distribution: where `studentTail` falls to `tail`, by bisection.
 * @param freedom ν, degrees of freedom, a whole number of at least 1
 * @param tail probability above it, in (0, ½); by default that of the 97.5 % quantile
 */
export function studentQuantile(freedom: number, tail = 0.025): number {
  let [low, high] = [0, 1];
  while (studentTail(high, freedom) > tail) high *= 2;
  while (high - low > 1e-9) {
    const middle = (low + high) / 2;
    if (studentTail(middle, freedom) > tail) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/**
 * How many standard deviations above the mean the largest of n normal values lies with probability p or less, itself in both
 * (F. E. Grubbs, 1950; exact for small p): (n − 1)/√n · √(t²/(n − 2 + t²)), t the quantile of n − 2 degrees with p/n above it.
 * @param n at least 3
 */
export function largestDeviation(n: number, p: number): number {
  const t = studentQuantile(n - 2, p / n);
  return ((n - 1) / Math.sqrt(n)) * Math.sqrt(t ** 2 / (n - 2 + t ** 2));
}

/**
 * P(T > t) for Student's t distribution with a whole number of degrees of freedom, by its finite series
 * (Abramowitz & Stegun, 26.7.3 and 26.7.4), exact but for rounding.
 * @param freedom ν, at least 1
 */
export function studentTail(t: number, freedom: number): number {
  invariant(Number.isInteger(freedom) && freedom >= 1, "degrees of freedom are whole numbers");
  if (t < 0) return 1 - studentTail(-t, freedom);
  const angle = Math.atan(t / Math.sqrt(freedom));
  const odd = freedom % 2 === 1;
  // odd: cosθ + 2/3·cos³θ + …;  even: 1 + 1/2·cos²θ + 1·3/(2·4)·cos⁴θ + …, up to the power ν − 2
  let term = odd ? Math.cos(angle) : 1;
  let sum = freedom > 1 ? term : 0;
  for (let power = odd ? 3 : 2; power <= freedom - 2; power += 2) {
    term *= Math.cos(angle) ** 2 * ((power - 1) / power);
    sum += term;
  }
  const within = odd ? (2 / Math.PI) * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum;
  return Math.max(0, (1 - within) / 2);
}

/**
 * How far a value stands out above others, if those are a normal sample of n ≥ 3:
 * d = (x − x̄)/(s·√(1 + 1/n)) standard deviations, as extreme with probability P(T_{n−1} > d).
 * @returns undefined if the others are too few or all alike
 */
export function outlierTail(
  value: number,
  others: readonly number[],
): { readonly deviations: number; readonly p: number } | undefined {
  const n = others.length;
  if (n < 3) return undefined;
  const mean = others.reduce((sum, other) => sum + other, 0) / n;
  const variance = others.reduce((sum, other) => sum + (other - mean) ** 2, 0) / (n - 1);
  // Alike but for rounding.
  if (!(variance > (1e-9 * Math.max(1, Math.abs(mean))) ** 2)) return undefined;
  const deviations = (value - mean) / Math.sqrt(variance * (1 + 1 / n));
  return { deviations, p: studentTail(deviations, n - 1) };
}
