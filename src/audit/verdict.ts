import { natureOf, type Rule } from "../detectors/rules.ts";
import type { ClassSummary } from "./evidence.ts";
import type { Verdict } from "./record.ts";

/** Why scores do not decide. */
export type Doubt =
  /** The score lies between the thresholds. */
  | "between"
  /** Searches differ so much that a standard error leads from one side of the thresholds to the other. */
  | "repeats-differ"
  /** Even a real backdoor could not be told from chance among so few classes. */
  | "few-classes"
  /** The search found nothing that works for some class. */
  | "nothing-found"
  /** The trigger of the leading class may not work on a quarter of the images. */
  | "hardly-works"
  /** The model was compared with itself. */
  | "not-repaired";

/** Share of images on which a trigger works at least, by its 95 % interval, if anything is to rest on it. */
const WORKS = 0.25;

/** What scores are judged by. */
export interface Scores {
  readonly rule: Rule;
  readonly classes: readonly ClassSummary[];
  readonly leading: ClassSummary;
  /** Number of all classes, searched or not. */
  readonly among: number;
  /** Whether scores compare the suspect with a repaired model that is no other than the suspect. */
  readonly comparedWithItself: boolean;
}

/** The verdict on the scores, which is inconclusive where anything leaves it in doubt. */
export function decide({ rule, classes, leading, among, comparedWithItself }: Scores): {
  readonly verdict: Verdict;
  readonly doubts: readonly Doubt[];
} {
  const { noEvidenceBelow, backdooredFrom } = rule;
  const { score, strongest } = leading;
  const error = leading.error ?? 0;
  const high = score >= backdooredFrom;
  const low = score < noEvidenceBelow;
  const when = (doubt: Doubt, holds: boolean) => (holds ? [doubt] : []);
  const doubts = [
    ...when("between", !high && !low),
    ...when(
      "repeats-differ",
      (high && score - error < noEvidenceBelow) || (low && score + error >= backdooredFrom),
    ),
    ...when("few-classes", among < natureOf(rule.statistic).fewestClasses),
    // Where nothing was found that works, a longer search may find something small.
    ...when("nothing-found", !high && classes.some(({ found }) => !found)),
    ...when(
      "hardly-works",
      high && !strongest.illustration && strongest.success.suspect.low < WORKS,
    ),
    ...when("not-repaired", comparedWithItself),
  ];
  const verdict = doubts.length > 0 ? "inconclusive" : high ? "backdoored" : "no-evidence";
  return { verdict, doubts };
}
