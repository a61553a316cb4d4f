import type { Detection } from "../detectors/detector.ts";
import { type ClassSummary, summarise } from "./evidence.ts";
import type { Verdict } from "./record.ts";
import { decide, type Rule, ruleOf } from "./verdict.ts";

/** What follows from the evidence of all repeats. */
export interface Conclusion {
  readonly rule: Rule;
  /** By class index. */
  readonly classes: readonly ClassSummary[];
  /** The class with the highest score. */
  readonly leading: ClassSummary;
  readonly verdict: Verdict;
}

/** Puts the repeats together and applies the rule of their statistic. */
export function conclude(detections: readonly Detection[]): Conclusion {
  const rule = ruleOf(detections[0]!.statistic);
  const classes = summarise(detections, rule.statistic === "size-ratio");
  const leading = classes.reduce((a, b) => (b.score > a.score ? b : a));
  return { rule, classes, leading, verdict: decide(rule, leading.score) };
}
