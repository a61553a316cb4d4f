import type { Detector } from "../detectors/detector.ts";
import { natureOf, type Rule } from "../detectors/rules.ts";
import type { Classifier } from "../models/classifier.ts";
import type { ClassSummary } from "./evidence.ts";
import type { Verdict } from "./record.ts";
import type { Repaired } from "./repair-model.ts";

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
  | "not-repaired"
  /** The model was compared with a copy that answers worse. */
  | "spoiled-copy";

/** Share of images on which a trigger works at least, by its 95 % interval, if anything is to rest on it. */
const WORKS = 0.25;

/** What scores are judged by. */
export interface Scores {
  readonly rule: Rule;
  readonly classes: readonly ClassSummary[];
  readonly leading: ClassSummary;
  /** Number of all classes, searched or not. */
  readonly among: number;
  /** What is wrong with the repaired copy that scores compare the suspect with; null for nothing, and where they compare with none. */
  readonly copy: CopyDoubt | null;
}

/** Why a copy may be unfit to compare with. */
export type CopyDoubt = Extract<Doubt, "not-repaired" | "spoiled-copy">;

/**
 * Whether the copy that a detector compares a model with can show anything: it has to be another model, and one that
 * answers as well. Beside one that lost more accuracy than allowed, there is for every class a trigger that only the suspect obeys.
 * @param copy undefined where none was made and the model stands in for it
 */
export function doubtAboutCopy(
  { needsRepair }: Pick<Detector, "needsRepair">,
  model: Classifier,
  copy: Pick<Repaired, "model" | "deployable"> | undefined,
): CopyDoubt | null {
  if (!needsRepair) return null;
  if (!copy || copy.model === model) return "not-repaired";
  return copy.deployable ? null : "spoiled-copy";
}

/** The verdict on the scores, which is inconclusive where anything leaves it in doubt. */
export function decide({ rule, classes, leading, among, copy }: Scores): {
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
    ...(copy ? [copy] : []),
  ];
  const verdict = doubts.length > 0 ? "inconclusive" : high ? "backdoored" : "no-evidence";
  return { verdict, doubts };
}
