import type { Detection } from "../detectors/detector.ts";
import { natureOf, type Rule, ruleOf } from "../detectors/rules.ts";
import { type ClassSummary, summarise } from "./evidence.ts";
import type { Verdict } from "./record.ts";
import { CONTROLS } from "./screening.ts";
import { type Doubt, decide, type Scores } from "./verdict.ts";

/** What follows from the evidence of all repeats. */
export interface Conclusion {
  readonly rule: Rule;
  /** By class index. */
  readonly classes: readonly ClassSummary[];
  /** The class with the highest score. */
  readonly leading: ClassSummary;
  readonly verdict: Verdict;
  /** Why the verdict is inconclusive; empty where it is not. */
  readonly doubts: readonly Doubt[];
}

/**
 * Puts the repeats together and applies the rule of their statistic.
 * @param about `among`: the number of all classes, where only some were searched; `copy`: see `Scores`
 */
export function conclude(
  detections: readonly Detection[],
  about: Partial<Pick<Scores, "among" | "copy">> = {},
): Conclusion {
  const { statistic, classes: searched } = detections[0]!;
  const { among = searched.length, copy = null } = about;
  const classes = summarise(detections, natureOf(statistic).isRatio);
  const leading = classes.reduce((a, b) => (b.score > a.score ? b : a));
  const known = ruleOf(statistic, among, searched.length < among ? CONTROLS : undefined);
  // A ratio has no upper end; the scale that charts use ends where the scores do.
  const top = Math.max(leading.interval?.high ?? leading.score, ...leading.repeats);
  const rule = { ...known, maximum: Math.max(known.maximum, Math.ceil(top)) };
  return {
    rule,
    classes,
    leading,
    ...decide({ rule, classes, leading, among, copy }),
  };
}
