import type { Figure, Point, Series } from "../../experiments/reproduce/artefact.ts";
import { responsiveChart } from "../figure.ts";
import { type Html, html } from "../html.ts";
import type { Pictures } from "../pictures.ts";
import { figureSvg, keyOf } from "./figure-svg.ts";
import { notesHtml } from "./table-html.ts";
import { modelsWords } from "./words.ts";

/** A figure with its notes, and its numbers behind a line. */
export function figureHtml(figure: Figure, pictures: Pictures): Html {
  const charts = figure.panels.flatMap((panel) => (panel.kind === "chart" ? [panel] : []));
  return html`<div class="figure">${responsiveChart((width) => figureSvg(figure, pictures, width))}</div>
${notesHtml([...figure.notes, ...keyOf(figure)])}
${
  charts.length > 0 &&
  html`<details><summary>The numbers</summary><div class="scroll"><table class="compared">
<thead><tr><th scope="col">Panel</th><th scope="col" class="words">Series</th><th scope="col">x</th><th scope="col">y</th><th scope="col">95 % interval</th><th scope="col" class="words">of</th></tr></thead>
<tbody>${charts.map(({ title, series }) => series.map((one) => pointRows(title, one)))}
</tbody></table></div></details>`
}`;
}

function pointRows(panel: string, { name, mark, points }: Series): Html[] {
  if (mark === "front") return [];
  return points.map(
    (point) => html`
<tr><th scope="row">${panel}</th><td class="words">${name}${point.label !== undefined && `, ${point.label}`}</td><td>${digits(point.x)}</td><td>${digits(point.y)}</td><td>${intervalOf(point)}</td><td class="words">${point.n !== undefined && modelsWords({ ...point, n: point.n })}</td></tr>`,
  );
}

function intervalOf({ low, high }: Point): string {
  return typeof low === "number" && typeof high === "number"
    ? `${digits(low)} to ${digits(high)}`
    : "";
}

function digits(value: number): string {
  return String(Number(value.toPrecision(4))).replace("-", "−");
}
