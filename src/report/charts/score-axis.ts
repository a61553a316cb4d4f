import * as Plot from "@observablehq/plot";
import type { AuditRecord } from "../../audit/record.ts";
import { LINE, MUTED } from "./plot.ts";
import { thresholdLabels } from "./thresholds.ts";

/** What charts with scores along x share: the axis and the thresholds, with the zone of a backdoor. */
export function scoreAxis(rule: AuditRecord["rule"]): Plot.Markish[] {
  const thresholds = [rule.noEvidenceBelow, rule.backdooredFrom];
  return [
    Plot.rect([0], { x1: rule.backdooredFrom, x2: rule.maximum, fill: LINE, fillOpacity: 0.4 }),
    Plot.axisX({
      ticks: 6,
      tickSize: 0,
      label: `${rule.statistic} →`,
      labelArrow: "none",
      fill: MUTED,
    }),
    Plot.ruleX(thresholds, { stroke: MUTED, strokeDasharray: "3 3" }),
    Plot.text(thresholdLabels(rule), {
      x: "at",
      text: "text",
      frameAnchor: "top",
      lineAnchor: "bottom",
      dy: -5,
      fill: MUTED,
    }),
  ];
}
