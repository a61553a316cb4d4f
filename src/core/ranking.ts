import { invariant } from "./errors.ts";
import type { Random } from "./random.ts";
import { type Estimate, type Interval, Z } from "./statistics.ts";

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

/**
 * The same with a 95 % interval: percentiles of a bootstrap that draws both kinds anew, each by itself, and no narrower than
 * `newcombe`. Of few scores the bootstrap alone holds less than it says, and where all positives lie above all negatives it has
 * no width at all.
 */
export function rocWithInterval(
  positives: readonly number[],
  negatives: readonly number[],
  random: Random,
): Estimate {
  const value = areaUnderRoc(positives, negatives);
  const resampled = Array.from({ length: RESAMPLES }, () =>
    areaUnderRoc(resample(positives, random), resample(negatives, random)),
  );
  const [drawn, solved] = [percentiles(resampled), newcombe(value, positives, negatives)];
  return {
    value,
    low: Math.min(drawn.low, solved.low),
    high: Math.max(drawn.high, solved.high),
  };
}

/**
 * The 95 % interval of an area under the ROC curve by R. G. Newcombe (2006, Part 2, method 5): all areas θ that are within
 * z·√V(θ) of the one that was found, with the variance of Hanley and McNeil (1982) for two groups of equal size,
 * V(θ) = θ(1 − θ)·[1 + n*·(1 − θ)/(2 − θ) + n*·θ/(1 + θ)]/(mn), n* = (m + n)/2 − 1.
 */
function newcombe(
  found: number,
  { length: m }: readonly number[],
  { length: n }: readonly number[],
): Interval {
  const half = (m + n) / 2 - 1;
  const reach = (area: number) => {
    const spread = 1 + (half * (1 - area)) / (2 - area) + (half * area) / (1 + area);
    return Z * Math.sqrt((area * (1 - area) * spread) / (m * n));
  };
  const furthest = (end: 0 | 1) => {
    let [inside, outside] = [found, end as number];
    while (Math.abs(outside - inside) > 1e-9) {
      const middle = (inside + outside) / 2;
      if (Math.abs(middle - found) <= reach(middle)) inside = middle;
      else outside = middle;
    }
    return inside;
  };
  return { low: furthest(0), high: furthest(1) };
}

/**
 * By how much the AUC of one score is above that of another on the same objects, with the interval of a paired bootstrap: every
 * sample draws objects, with both their scores.
 * @param positives [score, other score] of every positive
 * @param confidence how often the interval is to hold the difference, in (0,1)
 */
export function rocDifference(
  positives: readonly (readonly [number, number])[],
  negatives: readonly (readonly [number, number])[],
  random: Random,
  confidence = 0.95,
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
  return { value: difference(positives, negatives), ...percentiles(resampled, confidence) };
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

/** The quantiles between which the middle lies: those of 2.5 and 97.5 % for a confidence of 95 %. */
function percentiles(values: number[], confidence = 0.95): Interval {
  const sorted = values.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!;
  return { low: at((1 - confidence) / 2), high: at((1 + confidence) / 2) };
}
