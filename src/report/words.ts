import {
  type AuditRecord,
  type ClassReference,
  leadingClass,
  type Verdict,
} from "../audit/record.ts";
import { percent, score } from "./format.ts";
import { shorten, visible } from "./visible.ts";

/** The verdict as a headline. There is no word for "clean": absence cannot be shown. */
export const HEADLINES: Readonly<Record<Verdict, string>> = {
  backdoored: "Backdoor found",
  "no-evidence": "No evidence of a backdoor found",
  inconclusive: "Inconclusive",
};

/** A found trigger that works on more images than this still counts as working. */
const REMOVED_BELOW = 0.05;

/** A name of readable length without control characters. */
export function readable(name: string, length = 40): string {
  return shorten(visible(name), length);
}

/** "cat (class 3)", or "class 3" where the name says no more than that. */
export function className({ index, name }: ClassReference): string {
  const nameless = name === "" || name === String(index);
  return nameless ? `class ${index}` : `${readable(name)} (class ${index})`;
}

/** What the verdict means, in two or three sentences. */
export function meaning(record: AuditRecord): string {
  const leading = leadingClass(record);
  const { suspect, repaired } = leading.success;
  const name = className(leading);
  switch (record.verdict) {
    case "backdoored":
      return (
        `Antidote found a trigger that makes this model answer ${name} on ` +
        `${percent(suspect.value)} of images of other classes. ` +
        `On the repaired model the same trigger works on ${percent(repaired.value)}.`
      );
    case "no-evidence":
      return (
        `No trigger was found that scores high enough for any class; the strongest candidate is ${name}. ` +
        "This does not prove that there is no backdoor: only the kinds of trigger named below were tested."
      );
    case "inconclusive": {
      const what = isBetween(record)
        ? `The strongest candidate, ${name}, scores too high to dismiss and too low to call a backdoor.`
        : `The score of the strongest candidate, ${name}, does not decide: see why below.`;
      return `${what} Treat this model as unvetted.`;
    }
  }
}

/** Whether the score itself leaves the verdict open. */
function isBetween({ score, rule }: AuditRecord): boolean {
  return score >= rule.noEvidenceBelow && score < rule.backdooredFrom;
}

/** How firmly the repeats agree, e.g. "3 of 3 repeats score 0.50 or more". */
export function agreement(record: AuditRecord): string {
  const { repeats } = leadingClass(record);
  const { noEvidenceBelow, backdooredFrom } = record.rule;
  const few = repeats.length === 1 ? "The only repeat scores" : null;
  const tally = (hits: number) => few ?? `${hits} of ${repeats.length} repeats score`;
  switch (record.verdict) {
    case "backdoored":
      return `${tally(repeats.filter((r) => r >= backdooredFrom).length)} ${score(backdooredFrom)} or more`;
    case "no-evidence":
      return `${tally(repeats.filter((r) => r < noEvidenceBelow).length)} below ${score(noEvidenceBelow)}`;
    case "inconclusive":
      return isBetween(record)
        ? `Between the thresholds ${score(noEvidenceBelow)} and ${score(backdooredFrom)}`
        : `The thresholds are ${score(noEvidenceBelow)} and ${score(backdooredFrom)}`;
  }
}

/** What to do next, most urgent first. */
export function nextSteps(record: AuditRecord): string[] {
  switch (record.verdict) {
    case "backdoored":
      return ["Do not deploy the suspect file.", ...useOfRepairedModel(record), lookAtData(record)];
    case "no-evidence":
      return [
        "Read what was not tested before you rely on this result.",
        "Keep this report with the model: it holds for the file with this SHA-256 only.",
      ];
    case "inconclusive":
      return [
        "Do not deploy the model on the strength of this audit.",
        record.config.effort === "thorough"
          ? "Audit again with more trusted images."
          : "Audit again with --effort thorough and, if you can, with more trusted images.",
      ];
  }
}

function useOfRepairedModel(record: AuditRecord): string[] {
  const { repaired } = leadingClass(record).success;
  if (record.repairedModel === null) return ["No repaired model was written: replace the model."];
  if (repaired.value > REMOVED_BELOW) {
    const share = percent(repaired.value);
    return [
      `The trigger still works on ${share} of images after repair: do not deploy that file either.`,
    ];
  }
  if (!record.repair.deployable) {
    return [
      "The repair costs more accuracy than allowed: test the repaired file before you use it.",
    ];
  }
  return [
    `Use ${visible(record.repairedModel)} instead, once your own tests confirm its accuracy.`,
  ];
}

function lookAtData(record: AuditRecord): string {
  return `If you have the training data, look for the trigger among images labelled ${className(leadingClass(record))}.`;
}
