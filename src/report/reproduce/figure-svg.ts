import type { Figure, Panel } from "../../experiments/reproduce/artefact.ts";
import { INK, MUTED, PAPER, textWidth } from "../charts/plot.ts";
import { LIGHT, LIGHT_SERIES, withColours } from "../colours.ts";
import { escapeHtml } from "../html.ts";
import type { Pictures } from "../pictures.ts";
import { visible } from "../visible.ts";
import type { Drawn } from "./frame.ts";
import { panelChart } from "./panel-chart.ts";
import { picturesPanel } from "./pictures-panel.ts";
import { wrap } from "./wrap.ts";

const TITLE = 26;
const BETWEEN = 36;
/** Width from which two panels stand side by side, in pixels. */
const TWO_COLUMNS = 700;

/**
 * The panels of a figure as one drawing, in the colours of the page around it.
 * @param pictures the PNG files of panels with pictures, by their paths within the store
 */
export function figureSvg(figure: Figure, pictures: Pictures, width: number): string {
  const { markup, height } = panelsOf(figure, pictures, width);
  return `<svg class="chart" role="img" aria-label="${escapeHtml(figure.title)}" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${markup}</svg>`;
}

function panelsOf({ panels }: Figure, pictures: Pictures, width: number): Drawn {
  const charts = panels.every(({ kind }) => kind === "chart");
  const columns = charts && panels.length > 1 && width >= TWO_COLUMNS ? 2 : 1;
  // A single chart need not be as wide as a page.
  const wide = columns === 2 ? (width - BETWEEN) / 2 : charts ? Math.min(width, 660) : width;
  let [top, tallest] = [0, 0];
  const drawn = panels.map((panel, at) => {
    if (at > 0 && at % columns === 0) [top, tallest] = [top + tallest + BETWEEN / 2, 0];
    const { markup, height } = panelOf(panel, pictures, wide);
    tallest = Math.max(tallest, height);
    return `<g transform="translate(${(at % columns) * (wide + BETWEEN)},${top})">${markup}</g>`;
  });
  return { markup: drawn.join(""), height: Math.ceil(top + tallest) };
}

function panelOf(panel: Panel, pictures: Pictures, width: number): Drawn {
  const { markup, height } =
    panel.kind === "chart" ? panelChart(panel, width) : picturesPanel(panel, pictures, width);
  const title = `<text y="14" font-size="13" font-weight="600" fill="${INK}">${escapeHtml(panel.title)}</text>`;
  const body = `<g transform="translate(0,${TITLE})">${markup}</g>`;
  return { markup: title + body, height: TITLE + height };
}

/** Width of a file, in pixels, and of one with a single chart. */
const WIDTH = 920;
const NARROWER = 700;
const EDGE = 28;
const FONT = "font-family=\"system-ui, 'DejaVu Sans', 'Helvetica Neue', Arial, sans-serif\"";

/** A figure as a file of its own: with title and notes, on white, in colours that every program knows. */
export function figureFile(figure: Figure, pictures: Pictures): string {
  const width = figure.panels.length > 1 ? WIDTH : NARROWER;
  const panels = panelsOf(figure, pictures, width - 2 * EDGE);
  const notes = [...figure.notes, ...keyOf(figure)].flatMap((note) =>
    wrap(visible(note), width - 2 * EDGE, (text) => 1.05 * textWidth(text)),
  );
  const top = EDGE + 34;
  const below = top + panels.height + 22;
  const height = below + 17 * notes.length + EDGE - 6;
  const lines = notes.map(
    (line, at) =>
      `<text x="${EDGE}" y="${below + 17 * at}" font-size="12" fill="${MUTED}">${escapeHtml(line)}</text>`,
  );
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="${escapeHtml(figure.title)}" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ${FONT}>
<rect width="100%" height="100%" fill="${PAPER}"/>
<text x="${EDGE}" y="${EDGE + 10}" font-size="17" font-weight="600" fill="${INK}">${escapeHtml(figure.title)}</text>
<g transform="translate(${EDGE},${top})">${panels.markup}</g>
${lines.join("\n")}
</svg>
`;
  return withColours(svg, { ...LIGHT, ...LIGHT_SERIES });
}

/** What the marks of a figure mean, as far as it has them. */
export function keyOf({ panels }: Figure): string[] {
  const series = panels.flatMap((panel) => (panel.kind === "chart" ? panel.series : []));
  const points = series.flatMap((one) => one.points);
  return [
    ...(points.some(({ low }) => typeof low === "number")
      ? ["Bands and lines through points are 95 % intervals."]
      : []),
    ...(series.some(({ paper }) => paper) ? ["Hollow diamonds are the paper's own numbers."] : []),
  ];
}
