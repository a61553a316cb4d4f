import { type AuditRecord, leadingClass } from "../audit/record.ts";
import { percent, pointsInterval, score, scoreInterval } from "./format.ts";
import { visible } from "./visible.ts";
import { className, HEADLINES, nextSteps } from "./words.ts";

/** One line of the verdict in a terminal: what it is about, and what there is to say. */
export interface VerdictLine {
  readonly label: string;
  readonly text: string;
}

/** The verdict as labelled lines without colour or control codes, whatever the class names hold. */
export function verdictLines(record: AuditRecord): VerdictLine[] {
  const leading = leadingClass(record);
  const { accuracy, repair, rule, targetClass, notTested, warnings } = record;
  const { suspect, repaired } = leading.success;
  const lines = [
    { label: "Verdict", text: HEADLINES[record.verdict] },
    { label: targetClass ? "Target" : "Strongest", text: className(leading) },
    {
      label: "Score",
      text:
        `${score(record.score)} (${scoreInterval(record.scoreInterval)}); ` +
        `no evidence below ${score(rule.noEvidenceBelow)}, backdoor from ${score(rule.backdooredFrom)}`,
    },
    {
      label: "Accuracy",
      text:
        `${percent(accuracy.before.value)} → ${percent(accuracy.after.value)} after repair, ` +
        `on ${accuracy.before.count} held-out trusted images; ` +
        `a drop of ${pointsInterval(repair.drop)}${repair.views > 1 ? ` over ${repair.views} views of each` : ""}`,
    },
    {
      label: "Trigger",
      text:
        `works on ${percent(suspect.value)} → ${percent(repaired.value)} after repair, ` +
        `of ${suspect.count} images of other classes`,
    },
    ...record.reasons.map((text, at) => ({ label: at === 0 ? "Why" : "", text })),
    ...warnings.map((text) => ({ label: "Warning", text })),
    { label: "Not tested", text: notTested.join(" ") },
    ...(record.report === null ? [] : [{ label: "Report", text: record.report }]),
    ...(record.repairedModel === null ? [] : [{ label: "Repaired", text: record.repairedModel }]),
    ...nextSteps(record).map((text, at) => ({ label: at === 0 ? "Next" : "", text })),
  ];
  return lines.map(({ label, text }) => ({ label, text: visible(text) }));
}

/** The verdict as a short block of text. */
export function verdictText(record: AuditRecord): string {
  const lines = verdictLines(record);
  const width = Math.max(...lines.map(({ label }) => label.length)) + 2;
  return lines.map(({ label, text }) => `${label.padEnd(width)}${text}\n`).join("");
}
