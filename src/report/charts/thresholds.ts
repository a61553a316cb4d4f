import type { AuditRecord } from "../../audit/record.ts";
import { score } from "../format.ts";

/** A label along a scale of scores. */
export interface ScoreLabel {
  readonly at: number;
  readonly text: string;
}

/** Share of the scale that a label takes. */
const ROOM = 0.12;

/** The thresholds of a rule; as one label where two would overlap. */
export function thresholdLabels({
  noEvidenceBelow,
  backdooredFrom,
  minimum,
  maximum,
}: AuditRecord["rule"]): ScoreLabel[] {
  const both = [...new Set([noEvidenceBelow, backdooredFrom])];
  if (backdooredFrom - noEvidenceBelow >= ROOM * (maximum - minimum)) {
    return both.map((at) => ({ at, text: score(at) }));
  }
  const at = (noEvidenceBelow + backdooredFrom) / 2;
  return [{ at, text: both.map(score).join("–") }];
}

/** The thresholds and the ends of the scale; an end goes where a threshold takes its place. */
export function scaleLabels(rule: AuditRecord["rule"], low: number): ScoreLabel[] {
  const inner = thresholdLabels(rule);
  const room = 1.4 * ROOM * (rule.maximum - low);
  const ends = [low, rule.maximum].filter((end) =>
    inner.every(({ at }) => Math.abs(at - end) >= room),
  );
  return [...inner, ...ends.map((at) => ({ at, text: score(at) }))];
}
