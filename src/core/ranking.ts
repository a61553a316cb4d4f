import { invariant } from "./errors.ts";
import type { Random } from "./random.ts";
import type { Interval } from "./statistics.ts";

/** A number with its 95 % interval. */
export interface Estimate extends Interval {
  readonly value: number;
}

/**
 * Area under the ROC curve: the probability that a positive scores higher than a negative, ties counting half
 * (Mann–Whitney): AUC = P(s⁺ > s⁻) + ½·P(s⁺ = s⁻).
 */
export function areaUnderRoc(positives: readonly number[], negatives: readonly number[]): number {
  invariant(positives.length > 0 && negatives.length > 0, "an AUC needs scores of both kinds");
  let wins = 0;
  for (const positive of positives) {
    for (const negative of negatives) {
      wins += positive > negative ? 1 : positive === negative ? 0.5 : 0;
    }
  }
  return wins / (positives.length * negatives.length);
}

/** Samples that an interval is made of. */
const RESAMPLES = 2000;

/** The same with a 95 % interval: percentiles of a bootstrap that draws both kinds anew, each by itself. */
export function bootstrappedRoc(
  positives: readonly number[],
  negatives: readonly number[],
  random: Random,
): Estimate {
  const value = areaUnderRoc(positives, negatives);
  const resampled = Array.from({ length: RESAMPLES }, () =>
    areaUnderRoc(resample(positives, random), resample(negatives, random)),
  );
  return { value, ...percentiles(resampled) };
}

/**
 * By how much the AUC of one score is above that of another on the same objects, with the 95 % interval of a paired
 * bootstrap: every sample draws objects, with both their scores.
 * @param positives [score, other score] of every positive
 */
export function rocDifference(
  positives: readonly (readonly [number, number])[],
  negatives: readonly (readonly [number, number])[],
  random: Random,
): Estimate {
  const difference = (p: typeof positives, n: typeof negatives) => {
    const by = (which: 0 | 1) =>
      areaUnderRoc(
        p.map((scores) => scores[which]),
        n.map((scores) => scores[which]),
      );
    return by(0) - by(1);
  };
  const resampled = Array.from({ length: RESAMPLES }, () =>
    difference(resample(positives, random), resample(negatives, random)),
  );
  return { value: difference(positives, negatives), ...percentiles(resampled) };
}

/** The mean with a 95 % interval: percentiles of a bootstrap. */
export function bootstrappedMean(values: readonly number[], random: Random): Estimate {
  invariant(values.length > 0, "a mean needs values");
  const mean = (of: readonly number[]) => of.reduce((sum, value) => sum + value, 0) / of.length;
  const resampled = Array.from({ length: RESAMPLES }, () => mean(resample(values, random)));
  return { value: mean(values), ...percentiles(resampled) };
}

/**
 * Kendall's τ_b between two scores of the same objects, in [−1,1]: (concordant − discordant pairs) over the geometric
 * mean of the pairs that are not tied in the first and in the second. NaN if one of them is the same for all objects.
 */
export function kendallTau(a: readonly number[], b: readonly number[]): number {
  invariant(a.length === b.length && a.length > 1, "τ compares two scores of the same objects");
  let [agreement, untiedA, untiedB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j < i; j++) {
      const [x, y] = [Math.sign(a[i]! - a[j]!), Math.sign(b[i]! - b[j]!)];
      agreement += x * y;
      untiedA += Math.abs(x);
      untiedB += Math.abs(y);
    }
  }
  return agreement / Math.sqrt(untiedA * untiedB);
}

function resample<T>(items: readonly T[], random: Random): T[] {
  return items.map(() => items[random.integer(0, items.length)]!);
}

/** The 2.5 % and the 97.5 % quantile. */
function percentiles(values: number[]): Interval {
  const sorted = values.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!;
  return { low: at(0.025), high: at(0.975) };
}
