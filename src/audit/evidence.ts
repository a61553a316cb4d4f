import { type Interval, studentQuantile } from "../core/statistics.ts";
import type { ClassEvidence, Detection } from "../detectors/detector.ts";

/** What all repeats say about one class. */
export interface ClassSummary {
  readonly target: number;
  /** Mean over the repeats. */
  readonly score: number;
  /** 95 % interval of that mean; null if there was one repeat only. */
  readonly interval: Interval | null;
  readonly repeats: readonly number[];
  /** Whether any repeat found a trigger that works. */
  readonly found: boolean;
  /** The repeat with the highest score: its trigger is the one to show. */
  readonly strongest: ClassEvidence;
}

/**
 * Puts repeats together. Two or three repeats say little about the spread of one class, but all classes
 * together do: the variance is pooled over them, s² = Σ_c Σ_r (x_cr − x̄_c)² / (K·(R−1)), and the interval
 * is x̄_c ± t·s_c/√R. Scores that are ratios spread in proportion to their size, so s_c = s·x̄_c with the
 * deviations taken relative to the class's mean.
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
    const found = all.some((evidence) => evidence.found);
    return { target: strongest.target, mean, scores, squares, unit, found, strongest };
  });
  const freedom = classes.length * (repeats - 1);
  const deviation = Math.sqrt(classes.reduce((sum, { squares }) => sum + squares, 0) / freedom);
  const reach = freedom > 0 ? (studentQuantile(freedom) * deviation) / Math.sqrt(repeats) : 0;
  return classes.map(({ target, mean, scores, unit, found, strongest }) => ({
    target,
    score: mean,
    interval: freedom > 0 ? { low: mean - reach * unit, high: mean + reach * unit } : null,
    repeats: scores,
    found,
    strongest,
  }));
}
