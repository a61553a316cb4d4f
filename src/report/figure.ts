import { Html, html } from "./html.ts";

/** Widths at which charts across the page are drawn, in pixels; the style sheet shows the one that fits. */
const WIDE = 920;
const NARROW = 330;

/** A chart across the page, drawn once for wide screens and once for narrow ones. */
export function responsiveChart(draw: (width: number) => string): Html {
  return html`<div class="wide">${new Html(draw(WIDE))}</div>
<div class="narrow">${new Html(draw(NARROW))}</div>`;
}

/** A chart that stands in a column: one width fits all screens. */
export function columnChart(draw: (width: number) => string): Html {
  return new Html(draw(300));
}
