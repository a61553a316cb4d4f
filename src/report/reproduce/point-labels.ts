import * as Plot from "@observablehq/plot";
import type { Point } from "../../experiments/reproduce/artefact.ts";
import { INK, MUTED, PAPER } from "../charts/plot.ts";
import { type Frame, MARGIN } from "./frame.ts";
import { type Look, seriesWords } from "./looks.ts";
import { placeLabels, type Spot } from "./place-labels.ts";
import type { Ranges } from "./ranges.ts";

/** Lines whose names have at most so many characters carry them; others are named in the legend. */
const SHORT_NAME = 16;

export interface PointLabels {
  readonly marks: readonly Plot.Markish[];
  /** Whether lines carry their names, so that the legend need not tell them. */
  readonly linesNamed: boolean;
}

interface Wanted {
  readonly text: string;
  readonly colour: string;
  /** Points that it may stand beside, the best first. */
  readonly points: readonly Point[];
}

/** The names of points and of lines, as far as there is room; of lines all or none. */
export function pointLabels(
  looks: readonly Look[],
  { x, y }: Ranges,
  { width, height }: Frame,
): PointLabels {
  const pixel = (point: Point) => ({
    x: MARGIN.left + x.at(point.x) * (width - MARGIN.left - MARGIN.right),
    y: height - MARGIN.bottom - y.at(point.y) * (height - MARGIN.top - MARGIN.bottom),
  });
  const shown = looks.filter(({ series }) => series.mark !== "front");
  const dots = shown.flatMap(({ series: { mark, points } }) => {
    const spots = points.map(pixel);
    return mark === "line" ? along(spots) : spots;
  });
  const frame = {
    ...{ left: MARGIN.left, right: width - 2, top: MARGIN.top - 8, bottom: height - MARGIN.bottom },
  };
  const place = (wanted: readonly Wanted[]) => {
    const labels = wanted.map(({ text, points }) => ({ text, spots: points.map(pixel) }));
    return placeLabels(labels, dots, frame);
  };
  const lines = namesOfLines(shown);
  const linesNamed = lines !== null && place(lines).every((found) => found);
  const wanted = [...(linesNamed ? lines : []), ...namesOfPoints(shown)];
  const marks = place(wanted).map((found, at) => {
    if (!found) return null;
    const { text, colour, points } = wanted[at]!;
    const { at: spot, ...about } = found;
    return Plot.text([points[spot]], {
      ...{ x: "x", y: "y", text: () => text, ...about },
      ...{ fill: colour === MUTED ? INK : colour, stroke: PAPER, strokeWidth: 4 },
    });
  });
  return { marks, linesNamed };
}

/** Steps in which labels feel lines, in pixels. */
const STEP = 10;

/** The points of a line, and those between them. */
function along(spots: readonly Spot[]): Spot[] {
  return spots.flatMap((spot, at) => {
    const next = spots[at + 1];
    if (!next) return [spot];
    const steps = Math.max(1, Math.ceil(Math.hypot(next.x - spot.x, next.y - spot.y) / STEP));
    return Array.from({ length: steps }, (_, step) => ({
      x: spot.x + ((next.x - spot.x) * step) / steps,
      y: spot.y + ((next.y - spot.y) * step) / steps,
    }));
  });
}

/** The names of all lines, to stand at their ends or further inside; null if one of them is too long. */
function namesOfLines(looks: readonly Look[]): Wanted[] | null {
  const lines = looks.filter(({ series }) => series.mark === "line");
  const wanted = lines.map(({ series, colour }) => ({
    ...{ text: seriesWords(series), colour, points: series.points.toReversed() },
  }));
  const short = wanted.every(({ text }) => text.length <= SHORT_NAME);
  return wanted.length > 0 && short ? wanted : null;
}

/** Labels of points; one that several lines have says once what it says. */
function namesOfPoints(looks: readonly Look[]): Wanted[] {
  const said = new Set<string>();
  return looks.flatMap(({ series, colour }) =>
    series.points.flatMap((point) => {
      const { label } = point;
      if (label === undefined || (series.mark === "line" && said.has(label))) return [];
      said.add(label);
      return [{ text: label, colour, points: [point] }];
    }),
  );
}
