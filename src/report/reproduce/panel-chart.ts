import * as Plot from "@observablehq/plot";
import type { Axis, Chart } from "../../experiments/reproduce/artefact.ts";
import { chart, LINE, MUTED, textWidth } from "../charts/plot.ts";
import { type Drawn, MARGIN } from "./frame.ts";
import { legend } from "./legend.ts";
import { type Look, looksOf, seriesWords } from "./looks.ts";
import { pointLabels } from "./point-labels.ts";
import { rangesOf } from "./ranges.ts";
import { marksOf } from "./series-marks.ts";
import { NOT_MEASURED } from "./words.ts";

/** A chart of a figure with its legend, all kinds of series in one way. */
export function panelChart(panel: Chart, width: number): Drawn {
  const looks = looksOf(panel);
  const isBars = looks.some(({ series }) => series.mark === "bars");
  const slanted = isBars && isCrowded(panel.x, looks, width);
  const under = MARGIN.bottom + (slanted ? SLANT.room : 0);
  const height = Math.round(Math.min(360, Math.max(250, 0.66 * width))) - MARGIN.bottom + under;
  const ranges = rangesOf(panel);
  const { marks, linesNamed } = isBars
    ? { marks: [], linesNamed: false }
    : pointLabels(looks, ranges, { width, height });
  const listed = looks.filter(({ series }) => !(linesNamed && series.mark === "line"));
  const head = legend(isPlain(looks) ? [] : listed, width);
  const { x, y } = ranges;
  // Fronts lie below the points that they are made of.
  const fronts = looks.filter(({ series }) => series.mark === "front");
  const others = looks.filter(({ series }) => series.mark !== "front");
  const svg = chart({
    label: `${panel.title}: ${panel.y.label} against ${panel.x.label}.`,
    ...{ width, height, marginLeft: MARGIN.left, marginRight: MARGIN.right },
    ...{ marginTop: MARGIN.top, marginBottom: under },
    x: isBars
      ? { type: "band", domain: classesOf(looks), padding: 0.25, label: null }
      : { type: panel.x.scale, domain: [x.from, x.to], label: null },
    y: { domain: [y.from, y.to], label: null },
    marks: [
      Plot.gridY({ ticks: 5, stroke: LINE, strokeOpacity: 1 }),
      isBars ? bandAxis(panel.x, looks, width, slanted) : xAxis(panel, width),
      Plot.axisY({
        ...{ ticks: 5, tickSize: 0, fill: MUTED, label: panel.y.label },
        ...{ labelArrow: "none", labelOffset: MARGIN.left, ...percentTicks(panel.y) },
      }),
      ...[...fronts, ...others].flatMap((look) => marksOf(look, ranges)),
      ...marks,
      ...(looks.every(({ series }) => series.paper || series.points.length === 0)
        ? [Plot.text([NOT_MEASURED], { frameAnchor: "middle", fill: MUTED, fontStyle: "italic" })]
        : []),
    ],
  });
  const markup = `${head.markup}${svg.replace("<svg ", `<svg y="${head.height}" `)}`;
  return { markup, height: head.height + height };
}

/** Whether there is one series alone, of which the legend would say no more than the axis does. */
function isPlain([first, ...others]: readonly Look[]): boolean {
  if (first === undefined) return true;
  return others.length === 0 && seriesWords(first.series) === first.series.name;
}

function percentTicks({ share }: Axis): { tickFormat?: string } {
  return share ? { tickFormat: "~%" } : {};
}

/** Amounts that are few are named themselves, so that none of them has to be guessed between two powers of ten. */
function xAxis({ x, series }: Chart, width: number): Plot.Markish {
  const values = [...new Set(series.flatMap(({ points }) => points.map((point) => point.x)))];
  const few = x.scale === "log" && values.length > 0 && values.length <= 8;
  return Plot.axisX({
    ...(few ? { ticks: values, text: String } : { ticks: width < 420 ? 4 : 6, ...percentTicks(x) }),
    ...{ tickSize: 0, fill: MUTED, label: `${x.label} →`, labelArrow: "none" },
  });
}

/** How names stand that are longer than the bars are wide, in degrees, and the room that takes, in pixels. */
const SLANT = { degrees: -35, room: 48 };

/** Whether names of several letters are longer than their bars have room; numbers are left out instead. */
function isCrowded({ names = [] }: Axis, looks: readonly Look[], width: number): boolean {
  const longest = Math.max(0, ...names.map((name) => (/\D/.test(name) ? textWidth(name) : 0)));
  return longest > width / Math.max(1, classesOf(looks).length);
}

/** Names of classes, about one per 24 pixels at most. */
function bandAxis(
  { label, names = [] }: Axis,
  looks: readonly Look[],
  width: number,
  slanted: boolean,
) {
  const classes = classesOf(looks);
  const every = Math.ceil((24 * classes.length) / width);
  return Plot.axisX({
    ...(slanted ? { tickRotate: SLANT.degrees } : {}),
    ticks: classes.filter((_, at) => at % every === 0),
    tickFormat: (value: number) => names[classes.indexOf(value)] ?? String(value),
    ...{ tickSize: 0, fill: MUTED },
    ...{ label: `${label} →`, labelArrow: "none", labelAnchor: "right" },
  });
}

function classesOf(looks: readonly Look[]): number[] {
  return [...new Set(looks.flatMap(({ series }) => series.points.map(({ x }) => x)))];
}
