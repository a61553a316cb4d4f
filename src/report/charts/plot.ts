import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { escapeHtml } from "../html.ts";
import { visible } from "../visible.ts";

/** Colours of charts: custom properties of the page's style sheet, so that they follow its scheme. */
export const INK = "var(--ink)";
export const MUTED = "var(--muted)";
export const LINE = "var(--line)";
export const FAINT = "var(--faint)";
export const VERDICT = "var(--verdict)";
export const PAPER = "var(--paper)";

/** Size of text in charts, in pixels; charts are drawn at the width they are shown at. */
export const FONT_SIZE = 12;

/** Width that `text` takes in a system font, slightly overestimated, in pixels. */
export function textWidth(text: string): number {
  return text.length * FONT_SIZE * 0.56;
}

/** What a chart adds to the options that all charts share. `label` is read out in its place. */
export type ChartOptions = Omit<Plot.PlotOptions, "document" | "className" | "style"> & {
  readonly label: string;
  readonly width: number;
  readonly height: number;
};

/** Attributes that hold coordinates; two decimals of a pixel are enough. */
const COORDINATES = [
  "x",
  "y",
  "x1",
  "x2",
  "y1",
  "y2",
  "cx",
  "cy",
  "width",
  "height",
  "d",
  "transform",
];

/** Stands for a chart's label until it is escaped: the serializer leaves "<" in attributes, which XML forbids. */
const LABEL = "@label@";

/** Draws marks into an SVG element, as a string without any style of its own. */
export function chart({ label, ...options }: ChartOptions): string {
  const { document } = parseHTML("<html><body></body></html>");
  const svg = Plot.plot({ ...options, document, className: "chart", ariaLabel: LABEL });
  svg.setAttribute("role", "img");
  svg.setAttribute("font-size", String(FONT_SIZE));
  svg.removeAttribute("font-family");
  svg.querySelector("style")?.remove();
  for (const element of svg.querySelectorAll("*")) {
    for (const name of COORDINATES) {
      const value = element.getAttribute(name);
      if (value !== null) element.setAttribute(name, value.replace(/\d+\.\d{3,}/g, round));
    }
  }
  return visible(svg.outerHTML).replace(LABEL, () => escapeHtml(label));
}

function round(digits: string): string {
  return String(Number(Number(digits).toFixed(2)));
}
