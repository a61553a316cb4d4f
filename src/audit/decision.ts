import { count } from "../data/images.ts";
import type { Detection } from "../detectors/detector.ts";
import { type Calibrating, calibrate, settle } from "./calibrate.ts";
import { type Conclusion, conclude } from "./conclude.ts";
import type { AuditOptions } from "./options.ts";
import type { AuditRecord, ClassReference } from "./record.ts";
import type { Stages } from "./stages.ts";
import { doubtAboutCopy } from "./verdict.ts";
import { reasonsFor, scopeOf, whatScoresMean } from "./words.ts";

/** What detections say of a model, as records state it. */
export type Decision = Pick<
  AuditRecord,
  "verdict" | "targetClass" | "score" | "scoreInterval" | "rule" | "reasons" | "calibration"
> &
  ReturnType<typeof scopeOf>;

/**
 * From the evidence to the verdict: what the scores are, what they mean on this model, and why.
 * @param about what calibration compares with
 * @param screening what came before, if not all classes were searched
 * @param deployable whether the repaired model is fit for use; null if that is not the question
 */
export async function decideOn(
  stages: Stages,
  detections: readonly Detection[],
  about: Omit<Calibrating, "conclusion" | "looks">,
  options: AuditOptions,
  deployable: boolean | null,
  screening: AuditRecord["screening"],
): Promise<{ readonly decision: Decision } & Pick<Conclusion, "classes" | "leading">> {
  const { model } = about.prepared;
  const conclusion = conclude(detections, {
    among: model.classes,
    copy: doubtAboutCopy(about.detector.method, model, about.repaired),
  });
  const looks = detections[0]!.looks;
  const calibration = await stages.run("calibrate", (part) =>
    calibrate(part, { ...about, conclusion, looks }, options),
  );
  const { rule, classes, leading, doubts } = conclusion;
  const { verdict, why } = settle(conclusion, calibration);
  const { trusted } = about.subject;
  const leadingClass = classReferenceOf(trusted.classNames, leading.target);
  const { name } = leadingClass;
  return {
    ...{ classes, leading },
    decision: {
      ...{ verdict, rule, calibration },
      targetClass: verdict === "backdoored" ? leadingClass : null,
      score: leading.score,
      scoreInterval: leading.interval,
      reasons: [
        ...why,
        ...reasonsFor({
          rule,
          verdict,
          doubts,
          classes,
          leading,
          name,
          deployable,
          screening,
        }),
        ...whatScoresMean(calibration, count(trusted)),
      ],
      ...scopeOf(about.detector, rule.statistic),
    },
  };
}

/** A class as records name it. */
export function classReferenceOf(names: readonly string[], index: number): ClassReference {
  return { index, name: names[index]! };
}
