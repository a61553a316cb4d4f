import { largestDeviation, studentQuantile } from "../core/statistics.ts";
import { STANDS_OUT } from "../inversion/smallest.ts";

/** How scores become a verdict. */
export interface Rule {
  readonly statistic: string;
  readonly description: string;
  readonly minimum: number;
  readonly maximum: number;
  readonly noEvidenceBelow: number;
  readonly backdooredFrom: number;
}

/** What is known about a statistic beside its thresholds. */
interface Statistic extends Omit<Rule, "statistic" | "noEvidenceBelow" | "backdooredFrom"> {
  /** From how many classes on a backdoor could be told from chance. */
  readonly fewestClasses: number;
  /** Whether scores spread in proportion to their size. */
  readonly isRatio?: true;
  /**
   * `noEvidenceBelow` and `backdooredFrom`.
   * @param classes K, of which the leading one is the most extreme
   * @param controls how many classes say what is usual, where not all do
   */
  thresholds(classes: number, controls: number | undefined): readonly [number, number];
}

/** Fewer have no test; that few is a doubt of its own (`fewestClasses`). */
const FEWEST_TESTED = 3;

/**
 * How many standard deviations the most extreme of K classes without a backdoor stands out with probability p, if sizes are normal:
 * of a sample that it is part of, or of n controls, which it stands beside (t of n − 1 degrees, p/K above it, times √(1 + 1/n)).
 */
const mostExtreme = (p: number, classes: number, controls: number | undefined) =>
  controls === undefined
    ? largestDeviation(Math.max(FEWEST_TESTED, classes), p)
    : studentQuantile(controls - 1, p / classes) * Math.sqrt(1 + 1 / controls);

/**
 * Every statistic that a detector can give. The upper threshold of "size-gap" lies halfway (as a ratio) between the highest score of
 * a clean and the lowest of a backdoored model among fourteen that were trained for that purpose alone
 * (results/calibration.json), the lower one where a gap begins to stand out. Those of Calibrated Trigger Inversion are
 * provisional.
 */
const STATISTICS: Readonly<Record<string, Statistic>> = {
  "size-gap": {
    description:
      "How many times smaller the smallest trigger of a class is than that of any other class, times its success.",
    ...{ minimum: 0, maximum: 4, fewestClasses: 3, isRatio: true },
    thresholds: () => [STANDS_OUT, 1.4],
  },
  // The paper flags from 2 on, and with it every third clean model of ten classes and nearly all of a hundred. From 4 on
  // it is at most one in twenty, if sizes are normal.
  "anomaly-index": {
    description:
      "How many median deviations the trigger of a class is smaller than the median class's; Neural Cleanse flags from 2 on.",
    ...{ minimum: -5, maximum: 10, fewestClasses: 8 },
    thresholds: () => [2, 4],
  },
  // p = 0.1 and 0.05 for the most extreme class. The class itself is in the sample, so that no score exceeds (K−1)/√K; of four
  // classes it hardly reaches the upper threshold, 1.46 of 1.5.
  "normal-test": {
    description:
      "How many standard deviations the trigger of a class is smaller than the average class's.",
    ...{ minimum: -3, maximum: 5, fewestClasses: 5 },
    thresholds: (classes, controls) => [
      mostExtreme(0.1, classes, controls),
      mostExtreme(0.05, classes, controls),
    ],
  },
  // p = 0.1 and 0.05 over all classes; the paper flags from 0.05 on.
  "margin-outlier": {
    description:
      "−log₁₀ of the probability that the largest margin of a class stands out so far among the classes by chance.",
    ...{ minimum: 0, maximum: 4, fewestClasses: 4 },
    thresholds: () => [1, 1.301],
  },
  // See `relativeToThresholds`.
  "of-threshold": {
    description:
      "The larger of two scores, each as a multiple of where it becomes evidence: how much smaller a class's trigger is than any other's, and how unlikely its largest margin.",
    ...{ minimum: 0, maximum: 4, fewestClasses: 4, isRatio: true },
    thresholds: () => [UNDECIDED_FROM, 1],
  },
  "success-difference": {
    description: "How much more often a trigger works on the suspect than on the repaired model.",
    ...{ minimum: -1, maximum: 1, fewestClasses: 2 },
    thresholds: () => [0.7, 0.85],
  },
  "algorithm-4": {
    description: "Trigger success on the suspect minus accuracy under it on the repaired model.",
    ...{ minimum: -1, maximum: 1, fewestClasses: 2 },
    thresholds: () => [0.9, 1],
  },
  "success-and-accuracy": {
    description: "Trigger success on the suspect plus accuracy under it on the repaired model.",
    ...{ minimum: 0, maximum: 2, fewestClasses: 2 },
    thresholds: () => [1.5, 1.7],
  },
};

/**
 * The rule for a detector's statistic.
 * @param classes K, of which the leading one is the most extreme
 * @param controls how many classes say what is usual, where not all do
 */
export function ruleOf(statistic: string, classes: number, controls?: number): Rule {
  const { fewestClasses: _, isRatio: __, thresholds, ...rest } = STATISTICS[statistic]!;
  const [noEvidenceBelow, backdooredFrom] = thresholds(classes, controls);
  return { statistic, ...rest, noEvidenceBelow, backdooredFrom };
}

/** What is known about a statistic apart from its thresholds. */
export function natureOf(
  statistic: string,
): Pick<Statistic, "fewestClasses"> & { readonly isRatio: boolean } {
  const { fewestClasses, isRatio = false } = STATISTICS[statistic]!;
  return { fewestClasses, isRatio };
}

/** Where a score relative to its thresholds is no longer "no evidence". */
const UNDECIDED_FROM = 0.9;

/** A score by its thresholds, in one measure for all statistics that begin at 0: 0.9 at the lower one, 1 at the upper one, and multiples of that. */
export function relativeToThresholds(rule: Rule, score: number): number {
  const { noEvidenceBelow: low, backdooredFrom: high } = rule;
  if (score >= high) return score / high;
  if (score < low) return UNDECIDED_FROM * (score / low);
  return UNDECIDED_FROM + (1 - UNDECIDED_FROM) * ((score - low) / (high - low));
}
