import { FONT_SIZE, INK, MUTED, PAPER, textWidth } from "../charts/plot.ts";
import { escapeHtml } from "../html.ts";
import { type Look, seriesWords } from "./looks.ts";

const ROW = 19;
/** Space for the sample in front of a name, and behind the name. */
const SAMPLE = 26;
const BETWEEN = 18;

/** A legend in rows, as elements of an SVG drawing; `height` is what it takes. */
export function legend(
  looks: readonly Look[],
  width: number,
): { readonly markup: string; readonly height: number } {
  let [left, row] = [0, 0];
  const entries = looks.map((look) => {
    const words = seriesWords(look.series);
    const wide = SAMPLE + 1.08 * textWidth(words);
    if (left > 0 && left + wide > width) [left, row] = [0, row + 1];
    const entry = entryAt(look, words, left, row * ROW + ROW / 2);
    left += wide + BETWEEN;
    return entry;
  });
  return { markup: entries.join(""), height: looks.length === 0 ? 0 : (row + 1) * ROW + 4 };
}

function entryAt(look: Look, words: string, x: number, y: number): string {
  const ink = look.series.points.length === 0 ? MUTED : INK;
  return `<g transform="translate(${x.toFixed(1)},${y})">${sample(look)}<text x="${SAMPLE}" dy="0.35em" font-size="${FONT_SIZE}" fill="${ink}">${escapeHtml(words)}</text></g>`;
}

function sample({ series, colour, symbol }: Look): string {
  const line = (dash: string) =>
    `<line x1="0" x2="20" stroke="${colour}" stroke-width="2"${dash}/>`;
  switch (series.mark) {
    case "line":
      return line("") + shape(symbol, colour, false);
    case "front":
      return line(' stroke-dasharray="5 4"');
    case "bars":
      return `<rect x="5" y="-5" width="10" height="10" fill="${colour}"/>`;
    case "dots":
      return shape(symbol, colour, series.paper === true);
  }
}

function shape(symbol: Look["symbol"], colour: string, hollow: boolean): string {
  const paint = hollow
    ? `fill="${PAPER}" stroke="${colour}" stroke-width="1.75"`
    : `fill="${colour}"`;
  switch (symbol) {
    case "circle":
      return `<circle cx="10" r="4" ${paint}/>`;
    case "square":
      return `<rect x="6.5" y="-3.5" width="7" height="7" ${paint}/>`;
    case "triangle":
      return `<path d="M10,-4.5L14.5,3.5H5.5Z" ${paint}/>`;
    case "diamond":
      return `<path d="M10,-6L13.5,0L10,6L6.5,0Z" ${paint}/>`;
  }
}
