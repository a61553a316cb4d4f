import { type Interval, studentQuantile } from "../core/statistics.ts";
import type { ClassEvidence, Detection } from "../detectors/detector.ts";

/** What all repeats say about one class. */
export interface ClassSummary {
  readonly target: number;
  /** Mean over the repeats. */
  readonly score: number;
  /** 95 % interval of that mean; null if there was one repeat only. */
  readonly interval: Interval | null;
  /** Its standard error; null where there is no interval. */
  readonly error: number | null;
  readonly repeats: readonly number[];
  /** Whether any repeat found a trigger that works. */
  readonly found: boolean;
  /** The repeat with the highest score: its trigger is the one to show. */
  readonly strongest: ClassEvidence;
  /** The repeat in the middle by score, the lower one of two. */
  readonly typical: ClassEvidence;
}

/**
 * Puts repeats together. Two or three repeats say little about the spread of one class, but all classes
 * together do: the variance is pooled over them, s² = Σ_c Σ_r (x_cr − x̄_c)² / (K·(R−1)), and the interval
 * is x̄_c ± t·s_c/√R. Scores that are ratios spread in proportion to their size, so s_c = s·x̄_c with the
 * deviations taken relative to the class's mean. A class that scores 0 in some repeat is at the end of the scale there, or
 * nothing was found for it: it says nothing about the spread of others and has its own. Repeats share images, so what
 * the interval knows is how searches differ.
 * @param relative whether the statistic is a ratio
 */
export function summarise(detections: readonly Detection[], relative: boolean): ClassSummary[] {
  const repeats = detections.length;
  const classes = detections[0]!.classes.map((_, index) => {
    const all = detections.map((detection) => detection.classes[index]!);
    const scores = all.map(({ score }) => score);
    const mean = scores.reduce((sum, score) => sum + score, 0) / repeats;
    const unit = relative ? Math.max(mean, Number.EPSILON) : 1;
    const squares = scores.reduce((sum, score) => sum + ((score - mean) / unit) ** 2, 0);
    const strongest = all.reduce((a, b) => (b.score > a.score ? b : a));
    const typical = [...all].sort((a, b) => a.score - b.score)[Math.floor((repeats - 1) / 2)]!;
    const found = all.some((evidence) => evidence.found);
    return { target: strongest.target, mean, scores, squares, unit, found, strongest, typical };
  });
  const common = spreadOf(classes.filter(({ scores }) => scores.every((score) => score !== 0)));
  return classes.map((summary) => {
    const { target, mean, scores, unit, found, strongest, typical } = summary;
    const { error, freedom } = scores.includes(0) ? spreadOf([summary]) : common;
    const reach = freedom > 0 ? studentQuantile(freedom) * error * unit : null;
    return {
      ...{ target, score: mean, error: freedom > 0 ? error * unit : null },
      interval: reach === null ? null : { low: mean - reach, high: mean + reach },
      repeats: scores,
      ...{ found, strongest, typical },
    };
  });
}

/** s/√R of classes with R scores each, and its degrees of freedom; none for one score. @param classes sums of squared deviations, in units */
function spreadOf(
  classes: readonly { readonly scores: readonly number[]; readonly squares: number }[],
): { readonly error: number; readonly freedom: number } {
  const repeats = classes[0]?.scores.length ?? 0;
  const freedom = Math.max(0, classes.length * (repeats - 1));
  if (freedom === 0) return { error: 0, freedom };
  const variance = classes.reduce((sum, { squares }) => sum + squares, 0) / freedom;
  return { error: Math.sqrt(variance / repeats), freedom };
}
