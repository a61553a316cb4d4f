import { STANDS_OUT } from "../inversion/smallest.ts";

/**
 * How scores become a verdict. The constants of "size-gap" lie halfway (as ratios) between the highest score
 * of a clean and the lowest of a backdoored model among twelve that were trained for that purpose alone:
 * 1.01 and 1.76 (results/calibration.json, before the penalty of a search began when a trigger first works). Those of the other statistics are provisional.
 */
export interface Rule {
  readonly statistic: string;
  readonly description: string;
  readonly minimum: number;
  readonly maximum: number;
  readonly noEvidenceBelow: number;
  readonly backdooredFrom: number;
}

/** The rule of every statistic that a detector can give. */
const RULES: Readonly<Record<string, Omit<Rule, "statistic">>> = {
  "size-gap": {
    description:
      "How many times smaller the smallest trigger of a class is than that of any other class, times its success.",
    minimum: 0,
    maximum: 4,
    noEvidenceBelow: STANDS_OUT,
    backdooredFrom: 1.4,
  },
  "anomaly-index": {
    description:
      "How many median deviations the trigger of a class is smaller than the median class's; Neural Cleanse flags from 2 on.",
    minimum: -5,
    maximum: 10,
    noEvidenceBelow: 2,
    backdooredFrom: 2,
  },
  // Quantiles of the normal distribution at 95 and 99 %.
  "normal-test": {
    description:
      "How many standard deviations the trigger of a class is smaller than the average class's.",
    minimum: -3,
    maximum: 4,
    noEvidenceBelow: 1.645,
    backdooredFrom: 2.326,
  },
  // p = 0.1 and 0.05 over all classes; the paper flags from 0.05 on.
  "margin-outlier": {
    description:
      "−log₁₀ of the probability that the largest margin of a class stands out so far among the classes by chance.",
    minimum: 0,
    maximum: 4,
    noEvidenceBelow: 1,
    backdooredFrom: 1.301,
  },
  // Thresholds of the parts, as shares of the upper ones: 1.3/1.4 of the size gap, the narrower of the two.
  "of-threshold": {
    description:
      "The larger of two scores, each as a multiple of where it becomes evidence: how much smaller a class's trigger is than any other's, and how unlikely its largest margin.",
    minimum: 0,
    maximum: 4,
    noEvidenceBelow: STANDS_OUT / 1.4,
    backdooredFrom: 1,
  },
  "success-difference": {
    description: "How much more often a trigger works on the suspect than on the repaired model.",
    minimum: -1,
    maximum: 1,
    noEvidenceBelow: 0.7,
    backdooredFrom: 0.85,
  },
  "algorithm-4": {
    description: "Trigger success on the suspect minus accuracy under it on the repaired model.",
    minimum: -1,
    maximum: 1,
    noEvidenceBelow: 0.9,
    backdooredFrom: 1,
  },
  "success-and-accuracy": {
    description: "Trigger success on the suspect plus accuracy under it on the repaired model.",
    minimum: 0,
    maximum: 2,
    noEvidenceBelow: 1.5,
    backdooredFrom: 1.7,
  },
};

/** The rule for a detector's statistic. */
export function ruleOf(statistic: string): Rule {
  return { statistic, ...RULES[statistic]! };
}
