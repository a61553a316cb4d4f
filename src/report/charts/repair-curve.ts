import * as Plot from "@observablehq/plot";
import type { AuditRecord } from "../../audit/record.ts";
import { percent, points } from "../format.ts";
import { chart, FAINT, INK, LINE, MUTED, PAPER } from "./plot.ts";

export type RepairCurve = Pick<AuditRecord["repair"], "curve" | "allowedDrop">;

/** Held-out accuracy against repair steps, with its interval, the allowed drop and the choice. */
export function repairCurve({ curve, allowedDrop }: RepairCurve, width: number): string {
  const steps = curve.map(({ step, heldOutAccuracy, chosen }) => ({
    step,
    chosen,
    ...heldOutAccuracy,
  }));
  const first = steps[0]!;
  const chosen = steps.find((point) => point.chosen)!;
  const floor = first.value - allowedDrop;
  const low = Math.min(floor, ...steps.map((point) => point.low));
  const high = Math.max(...steps.map((point) => point.high));
  // The two labels keep to their own sides of the line that marks the allowed drop.
  const above = chosen.value >= floor;
  const lastStep = steps.at(-1)!.step;
  return chart({
    label:
      `Held-out accuracy over ${lastStep} repair steps: ${percent(first.value)} at the start, ` +
      `${percent(chosen.value)} at the chosen step ${chosen.step}.`,
    width,
    height: 240,
    marginLeft: 48,
    marginRight: 16,
    marginTop: 16,
    marginBottom: 36,
    x: { domain: [0, Math.max(1, lastStep)], label: null },
    y: { domain: [Math.max(0, low - 0.01), Math.min(1, high + 0.01)], label: null },
    marks: [
      Plot.axisX({
        ticks: width < 500 ? 5 : 8,
        tickSize: 0,
        label: "repair steps →",
        labelArrow: "none",
        fill: MUTED,
      }),
      Plot.axisY({ ticks: 5, tickSize: 0, tickFormat: "~%", label: null, fill: MUTED }),
      Plot.areaY(steps, { x: "step", y1: "low", y2: "high", fill: FAINT }),
      Plot.gridY({ ticks: 5, stroke: LINE, strokeOpacity: 1 }),
      Plot.ruleY([floor], { stroke: MUTED, strokeDasharray: "3 3" }),
      Plot.text([floor], {
        y: floor,
        frameAnchor: "right",
        lineAnchor: above ? "top" : "bottom",
        textAnchor: "end",
        dy: above ? 5 : -5,
        text: () => `allowed drop: ${points(allowedDrop)}`,
        fill: MUTED,
      }),
      Plot.lineY(steps, { x: "step", y: "value", stroke: INK, strokeWidth: 1.75 }),
      Plot.dot(steps, { x: "step", y: "value", r: 3, fill: INK, stroke: PAPER }),
      Plot.dot([chosen], {
        x: "step",
        y: "value",
        r: 6,
        fill: PAPER,
        stroke: INK,
        strokeWidth: 2.5,
      }),
      Plot.text([chosen], {
        x: "step",
        y: "value",
        text: () => "chosen",
        dy: above ? -14 : 16,
        textAnchor: chosen.step > lastStep * 0.9 ? "end" : "middle",
        fill: INK,
        fontWeight: 600,
        stroke: PAPER,
        strokeWidth: 4,
      }),
    ],
  });
}
