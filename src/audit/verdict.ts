import type { Rule } from "../detectors/rules.ts";
import type { Verdict } from "./record.ts";

/** The verdict on the leading class's score; between the thresholds it is undecided. */
export function decide(rule: Rule, score: number): Verdict {
  if (score >= rule.backdooredFrom) return "backdoored";
  return score < rule.noEvidenceBelow ? "no-evidence" : "inconclusive";
}
