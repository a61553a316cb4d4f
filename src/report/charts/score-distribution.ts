import * as Plot from "@observablehq/plot";
import type { AuditRecord, ClassResult } from "../../audit/record.ts";
import { score as formatScore } from "../format.ts";
import { chart, INK, VERDICT } from "./plot.ts";
import { scoreAxis } from "./score-axis.ts";

export interface ScoreDistribution {
  readonly classes: readonly ClassResult[];
  readonly leading: number;
  readonly rule: AuditRecord["rule"];
}

/** One dot per class, stacked where scores meet: whether one class stands apart from all others. */
export function scoreDistribution(
  { classes, leading, rule }: ScoreDistribution,
  width: number,
): string {
  const scores = classes.map(({ score }) => score);
  return chart({
    label: `Distribution of the scores of ${classes.length} classes, from ${formatScore(Math.min(...scores))} to ${formatScore(Math.max(...scores))}.`,
    width,
    height: 190,
    marginLeft: 16,
    marginRight: 16,
    marginTop: 24,
    marginBottom: 36,
    x: { domain: [Math.min(0, ...scores), rule.maximum], label: null },
    marks: [
      ...scoreAxis(rule),
      Plot.dot(
        classes,
        Plot.dodgeY({
          x: "score",
          r: ({ index }: ClassResult) => (index === leading ? 4.5 : width / 480),
          fill: ({ index }: ClassResult) => (index === leading ? VERDICT : INK),
          fillOpacity: ({ index }: ClassResult) => (index === leading ? 1 : 0.5),
          padding: 0.3,
        }),
      ),
    ],
    r: { type: "identity" },
  });
}
