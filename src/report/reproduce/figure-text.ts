import type { Figure, Panel, Series } from "../../experiments/reproduce/artefact.ts";
import { percent } from "../format.ts";
import { visible } from "../visible.ts";
import { seriesWords } from "./looks.ts";
import { NOT_MEASURED } from "./words.ts";

/** Series with more points than this are told by their ends. */
const ALL = 8;

/** What a figure shows, for a terminal: its series with their points. */
export function figureText({ title, panels, notes }: Figure): string {
  const body = panels.map((panel) => [`  ${panel.title}`, ...linesOf(panel)].join("\n"));
  return visibleLines([title, "", body.join("\n\n"), "", ...notes].join("\n"));
}

function linesOf(panel: Panel): string[] {
  if (panel.kind === "pictures") {
    const captions = panel.pictures.map(({ caption }) => `    ${caption}`);
    return captions.length > 0 ? captions : [`    ${NOT_MEASURED}`];
  }
  const x = (value: number) => (panel.x.share ? percent(value) : digits(value));
  const y = (value: number) => (panel.y.share ? percent(value) : digits(value));
  const pointsOf = ({ points }: Series) =>
    points.map((point) => {
      const named = panel.x.names?.[points.indexOf(point)];
      const at = named ?? `${x(point.x)}${interval(point.xLow, point.xHigh, x)}`;
      const name = point.label === undefined ? "" : `${point.label} `;
      return `${name}${at} → ${y(point.y)}${interval(point.low, point.high, y)}`;
    });
  if (panel.series.length === 0) return [`    ${NOT_MEASURED}`];
  return panel.series.map((series) => {
    const said = pointsOf(series);
    const { points } = series;
    // The ends, and what the figure is about.
    const shown = said.filter(
      (_, at) => said.length <= ALL || at === 0 || at === said.length - 1 || points[at]!.marked,
    );
    if (shown.length < said.length) shown.splice(1, 0, `… ${said.length - shown.length} more`);
    return `    ${seriesWords(series)}${said.length > 0 ? `: ${shown.join(", ")}` : ""}`;
  });
}

/** " (0.8 to 0.9)"; nothing where there is none. */
function interval(
  low: number | null | undefined,
  high: number | null | undefined,
  words: (value: number) => string,
): string {
  const known = typeof low === "number" && typeof high === "number";
  return known ? ` (${words(low)} to ${words(high)})` : "";
}

function digits(value: number): string {
  return String(Number(value.toPrecision(3))).replace("-", "−");
}

/** Control characters written out, line breaks aside. */
function visibleLines(text: string): string {
  return text.split("\n").map(visible).join("\n");
}
