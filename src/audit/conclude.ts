import type { Detection } from "../detectors/detector.ts";
import { type Rule, ruleOf } from "../detectors/rules.ts";
import { type ClassSummary, summarise } from "./evidence.ts";
import type { Verdict } from "./record.ts";
import { decide } from "./verdict.ts";

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
  const known = ruleOf(detections[0]!.statistic);
  const classes = summarise(detections, known.statistic === "size-gap");
  const leading = classes.reduce((a, b) => (b.score > a.score ? b : a));
  // A ratio has no upper end; the scale that charts use ends where the scores do.
  const top = Math.max(leading.interval?.high ?? leading.score, ...leading.repeats);
  const rule = { ...known, maximum: Math.max(known.maximum, Math.ceil(top)) };
  const verdict = decide(rule, leading.score);
  // Where nothing was found that works, a longer search may find something small.
  const searched = verdict !== "no-evidence" || classes.every(({ found }) => found);
  return { rule, classes, leading, verdict: searched ? verdict : "inconclusive" };
}
