import * as Plot from "@observablehq/plot";
import type { Proportion } from "../../core/statistics.ts";
import { sharePhrase } from "../format.ts";
import { chart, INK, LINE, MUTED, PAPER } from "./plot.ts";

export interface BeforeAfter {
  /** What the shares measure, e.g. "Accuracy". */
  readonly quantity: string;
  readonly suspect: Proportion;
  readonly repaired: Proportion;
}

/** A share of the suspect above the same share of the repaired model, with their intervals. */
export function beforeAfter({ quantity, suspect, repaired }: BeforeAfter, width: number): string {
  const rows = [
    { name: "Suspect", ...suspect },
    { name: "Repaired", ...repaired },
  ];
  return chart({
    label: `${quantity}: suspect ${sharePhrase(suspect)}; repaired model ${sharePhrase(repaired)}.`,
    width,
    height: 74,
    marginLeft: 62,
    marginRight: 12,
    marginTop: 0,
    marginBottom: 22,
    x: { domain: [0, 1] },
    y: { domain: rows.map(({ name }) => name), padding: 0.3 },
    marks: [
      Plot.axisX({ ticks: [0, 0.5, 1], tickFormat: "~%", tickSize: 0, label: null, fill: MUTED }),
      Plot.axisY({ tickSize: 0, label: null, fill: INK }),
      Plot.barX(rows, { x1: 0, x2: 1, y: "name", fill: LINE, fillOpacity: 0.45 }),
      Plot.barX(rows, {
        x: "value",
        y: "name",
        fill: INK,
        fillOpacity: ({ name }: { name: string }) => (name === "Suspect" ? 0.8 : 0.45),
      }),
      // A light edge keeps the interval visible on its bar.
      Plot.ruleY(rows, { x1: "low", x2: "high", y: "name", stroke: PAPER, strokeWidth: 5 }),
      Plot.ruleY(rows, { x1: "low", x2: "high", y: "name", stroke: INK, strokeWidth: 2 }),
    ],
  });
}
