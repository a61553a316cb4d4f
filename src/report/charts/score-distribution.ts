import * as Plot from "@observablehq/plot";
import type { AuditRecord, ClassResult } from "../../audit/record.ts";
import { score as formatScore } from "../format.ts";
import { chart, INK, MUTED, PAPER, VERDICT } from "./plot.ts";
import { scoreAxis } from "./score-axis.ts";

export interface ScoreDistribution {
  readonly classes: readonly ClassResult[];
  /** Index of the class in the verdict's colour. */
  readonly leading: number;
  readonly rule: AuditRecord["rule"];
}

/** Height of the line per class under the histogram, in pixels. */
const RUG = 9;

/** Histogram of all scores over a line for every class: whether one stands apart from the others. */
export function scoreDistribution(
  { classes, leading, rule }: ScoreDistribution,
  width: number,
): string {
  const scores = classes.map(({ score }) => score);
  const lowest = Math.min(0, ...scores);
  return chart({
    label:
      `Distribution of the scores of ${classes.length} classes, ` +
      `from ${formatScore(Math.min(...scores))} to ${formatScore(Math.max(...scores))}.`,
    width,
    height: 200,
    marginLeft: 40,
    marginRight: 16,
    marginTop: 26,
    marginBottom: 36,
    x: { domain: [lowest, rule.maximum], label: null },
    y: { insetBottom: RUG + 5, label: null },
    marks: [
      ...scoreAxis(rule),
      Plot.axisY({ ticks: 4, tickSize: 0, label: "classes", labelArrow: "none", fill: MUTED }),
      Plot.rectY(
        scores,
        Plot.binX<Plot.RectYOptions>(
          { y: "count" },
          { domain: [lowest, rule.maximum], thresholds: 80, fill: INK, fillOpacity: 0.45 },
        ),
      ),
      Plot.ruleX(classes, {
        x: "score",
        stroke: ({ index }: ClassResult) => (index === leading ? VERDICT : INK),
        strokeOpacity: 0.4,
        insetTop: 200 - 26 - 36 - RUG,
      }),
      Plot.dot(
        classes.filter(({ index }) => index === leading),
        { x: "score", frameAnchor: "bottom", dy: -RUG / 2, r: 5, fill: VERDICT, stroke: PAPER },
      ),
    ],
  });
}
