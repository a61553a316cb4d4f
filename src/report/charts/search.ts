import * as Plot from "@observablehq/plot";
import type { SearchRecord } from "../../experiments/search/search-record.ts";
import { percent, points } from "../format.ts";
import { chart, INK, LINE, MUTED, PAPER } from "./plot.ts";

type Searched = Pick<SearchRecord, "trials" | "bestTrial" | "config" | "rungs">;

/** Success of the planted trigger against the loss of accuracy, a dot for every trial. */
export function searchChart({ trials, bestTrial, config, rungs }: Searched, width: number): string {
  const { allowedDrop } = config.options as { readonly allowedDrop: number };
  const longest = rungs.at(-1)!.steps;
  const dots = trials.map(({ success, drop, options }) => ({
    ...{ success, drop: drop.value, whole: options["steps"] === longest },
  }));
  const best = dots[bestTrial]!;
  const label =
    `${trials.length} trials; the best leaves the planted trigger a success of ${percent(best.success)} ` +
    `at a loss of ${points(best.drop)} of accuracy.`;
  return chart({
    ...{
      label,
      width,
      height: 320,
      marginLeft: 56,
      marginRight: 16,
      marginTop: 32,
      marginBottom: 40,
    },
    x: { label: null, nice: true },
    y: { domain: [0, 1], label: null },
    marks: [
      Plot.axisX({
        ...{
          tickSize: 0,
          tickFormat: (lost: number) => String(Math.round(1000 * lost) / 10),
          label: "points of accuracy lost →",
          labelArrow: "none",
        },
        fill: MUTED,
      }),
      Plot.axisY({ ticks: 5, tickSize: 0, tickFormat: "~%", label: "trigger works", fill: MUTED }),
      Plot.gridY({ ticks: 5, stroke: LINE, strokeOpacity: 1 }),
      Plot.ruleX([allowedDrop], { stroke: MUTED, strokeDasharray: "3 3" }),
      // Trials that were given up early are hollow.
      Plot.dot(dots, {
        ...{ x: "drop", y: "success", r: 4, stroke: INK, strokeWidth: 1.25 },
        fill: ({ whole }: { whole: boolean }) => (whole ? INK : PAPER),
      }),
      Plot.dot([best], { x: "drop", y: "success", r: 8, stroke: INK, strokeWidth: 2 }),
    ],
  });
}
