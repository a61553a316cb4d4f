import * as Plot from "@observablehq/plot";
import type { AuditRecord } from "../../audit/record.ts";
import type { Interval } from "../../core/statistics.ts";
import { score as formatScore, scoreInterval } from "../format.ts";
import { chart, INK, MUTED, PAPER, textWidth, VERDICT } from "./plot.ts";
import { scaleLabels } from "./thresholds.ts";

export interface ScoreScale {
  readonly score: number;
  readonly interval: Interval | null;
  readonly repeats: readonly number[];
  readonly rule: AuditRecord["rule"];
}

/** One score on the scale of the verdict rule: three zones, the interval, a tick for every repeat. */
export function scoreScale({ score, interval, repeats, rule }: ScoreScale, width: number): string {
  const { noEvidenceBelow, backdooredFrom } = rule;
  const low = Math.max(rule.minimum, Math.min(0, score, interval?.low ?? score, ...repeats));
  const margin = 14;
  const pixels = (width - 2 * margin) / (rule.maximum - low);
  const zones = [
    { from: low, to: noEvidenceBelow, name: "no evidence", shade: 0.06 },
    { from: noEvidenceBelow, to: backdooredFrom, name: "inconclusive", shade: 0.14 },
    { from: backdooredFrom, to: rule.maximum, name: "backdoor", shade: 0.24 },
  ].filter(({ from, to }) => to > from);
  const fitting = zones.filter(({ from, to, name }) => (to - from) * pixels > textWidth(name) + 4);
  return chart({
    label:
      `Score ${formatScore(score)}, interval ${scoreInterval(interval)}, on a scale from ` +
      `${formatScore(low)} to ${formatScore(rule.maximum)}: no evidence below ` +
      `${formatScore(noEvidenceBelow)}, backdoor from ${formatScore(backdooredFrom)}.`,
    width,
    height: 74,
    marginLeft: margin,
    marginRight: margin,
    marginTop: 22,
    marginBottom: 22,
    x: { domain: [low, rule.maximum], axis: null },
    y: { domain: [0, 1], axis: null },
    marks: [
      Plot.rect(zones, {
        x1: "from",
        x2: "to",
        y1: 0.28,
        y2: 0.72,
        fill: INK,
        fillOpacity: "shade",
      }),
      Plot.tickX([noEvidenceBelow, backdooredFrom], { stroke: MUTED }),
      Plot.text(fitting, {
        x: ({ from, to }: (typeof zones)[number]) => (from + to) / 2,
        text: "name",
        frameAnchor: "top",
        dy: -18,
        lineAnchor: "top",
        fill: MUTED,
      }),
      Plot.text(scaleLabels(rule, low), {
        x: "at",
        text: "text",
        frameAnchor: "bottom",
        dy: 19,
        lineAnchor: "bottom",
        fill: MUTED,
        fontVariant: "tabular-nums",
      }),
      Plot.tickX(repeats, { stroke: VERDICT, strokeOpacity: 0.6, insetTop: 2, insetBottom: 2 }),
      interval &&
        Plot.ruleY([interval], { x1: "low", x2: "high", y: 0.5, stroke: VERDICT, strokeWidth: 5 }),
      Plot.dot([score], { x: score, y: 0.5, r: 6.5, fill: VERDICT, stroke: PAPER, strokeWidth: 2 }),
    ],
  });
}
