import * as Plot from "@observablehq/plot";
import type { Point } from "../../experiments/reproduce/artefact.ts";
import { MUTED, PAPER } from "../charts/plot.ts";
import type { Look } from "./looks.ts";
import type { Range, Ranges } from "./ranges.ts";

const WHISKER = { strokeWidth: 1.5, strokeOpacity: 0.75 } as const;

/** The marks of a series; what comes first lies below. */
export function marksOf({ series, colour, symbol, at }: Look, { x, y }: Ranges): Plot.Markish[] {
  const { points, mark, paper } = series;
  if (points.length === 0) return [];
  const intervals = points.filter(
    ({ low, high }) => typeof low === "number" && typeof high === "number",
  );
  const whiskers = Plot.ruleX(intervals, {
    ...{ x: "x", y1: "low", y2: "high", stroke: colour, ...WHISKER },
  });
  const sideways = Plot.ruleY(
    points.filter(({ xLow, xHigh }) => typeof xLow === "number" && typeof xHigh === "number"),
    // Fainter: with few models they cross the whole figure.
    { ...{ y: "y", x1: "xLow", x2: "xHigh" }, ...WHISKER, strokeOpacity: 0.35, stroke: colour },
  );
  const band = Plot.areaY(intervals, {
    ...{ x: "x", y1: "low", y2: "high", fill: colour, fillOpacity: 0.1 },
  });
  const dots = Plot.dot(points, {
    ...{ x: "x", y: "y", symbol, r: paper ? 5 : 4.5, strokeWidth: paper ? 1.75 : 1 },
    ...(paper ? { fill: PAPER, stroke: colour } : { fill: colour, stroke: PAPER }),
  });
  switch (mark) {
    case "line":
      return [
        intervals.length > 1 ? band : whiskers,
        Plot.line(points, { x: "x", y: "y", stroke: colour, strokeWidth: 1.75 }),
        dots,
      ];
    case "dots":
      return [whiskers, sideways, dots];
    case "bars":
      return [
        Plot.barY(points, {
          ...{ x: "x", y: "y" },
          fill: ({ marked }: Point) => (marked ? "var(--series-2)" : colour),
          fillOpacity: ({ marked }: Point) => (marked ? 1 : 0.55),
        }),
        Plot.ruleY([0], { stroke: MUTED }),
      ];
    case "front":
      return [
        Plot.line(staircase(points, x, y), {
          ...{ x: "x", y: "y", curve: "step-before" as const },
          // Fronts that coincide for a while take turns.
          ...{
            stroke: colour,
            strokeWidth: 1.75,
            strokeDasharray: "6 6",
            strokeDashoffset: 6 * at,
          },
        }),
      ];
  }
}

/** From the left edge to the first point, and from the last one up to the top of the frame: what is above and to the left is beaten. */
function staircase(points: readonly Point[], x: Range, y: Range): { x: number; y: number }[] {
  const [first, last] = [points[0]!, points.at(-1)!];
  return [{ x: x.from, y: first.y }, ...points, { x: last.x, y: y.to }];
}
