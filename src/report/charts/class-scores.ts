import * as Plot from "@observablehq/plot";
import type { AuditRecord, ClassResult } from "../../audit/record.ts";
import { score as formatScore } from "../format.ts";
import { readable } from "../words.ts";
import { chart, INK, LINE, PAPER, textWidth, VERDICT } from "./plot.ts";
import { scoreAxis } from "./score-axis.ts";

export interface ClassScores {
  /** The classes to draw, in the order of the rows. */
  readonly classes: readonly ClassResult[];
  /** Index of the class in the verdict's colour. */
  readonly leading: number;
  readonly rule: AuditRecord["rule"];
}

const ROW = 24;

/** The score of every class with its interval, against the thresholds. */
export function classScores({ classes, leading, rule }: ClassScores, width: number): string {
  const labels = new Map(
    classes.map(({ index, name }) => [index, `${index}  ${readable(name, width < 500 ? 14 : 28)}`]),
  );
  const ends = classes.flatMap(({ score, scoreInterval }) => [
    score,
    ...(scoreInterval ? [scoreInterval.low, scoreInterval.high] : []),
  ]);
  const colour = ({ index }: ClassResult) => (index === leading ? VERDICT : INK);
  const withInterval = classes.filter(({ scoreInterval }) => scoreInterval !== null);
  return chart({
    label: `Scores of ${classes.length} classes; the highest is ${formatScore(Math.max(...classes.map(({ score }) => score)))}.`,
    width,
    height: classes.length * ROW + 62,
    marginLeft: Math.max(...[...labels.values()].map(textWidth)) + 14,
    marginRight: 16,
    marginTop: 26,
    marginBottom: 36,
    x: { domain: [Math.min(0, ...ends), rule.maximum], label: null },
    y: { type: "band", domain: classes.map(({ index }) => index), label: null, padding: 0 },
    marks: [
      ...scoreAxis(rule),
      Plot.ruleY(classes, { y: "index", stroke: LINE }),
      Plot.axisY({
        tickSize: 0,
        label: null,
        tickFormat: (index: number) => labels.get(index) ?? "",
      }),
      Plot.tickX(
        classes.flatMap((result) => result.repeats.map((repeat) => ({ ...result, repeat }))),
        { x: "repeat", y: "index", stroke: colour, insetTop: 7, insetBottom: 7 },
      ),
      Plot.ruleY(withInterval, {
        x1: ({ scoreInterval }: ClassResult) => scoreInterval!.low,
        x2: ({ scoreInterval }: ClassResult) => scoreInterval!.high,
        y: "index",
        stroke: colour,
        strokeWidth: 2,
      }),
      Plot.dot(classes, {
        x: "score",
        y: "index",
        r: 4.5,
        fill: colour,
        stroke: PAPER,
        strokeWidth: 1.5,
      }),
    ],
  });
}
