import { type Content, type Html, html } from "./html.ts";

export type Fact = readonly [term: string, value: Content];

/** Facts with their names in front. */
export function facts(rows: readonly Fact[]): Html {
  return html`<dl class="facts">${rows.map(([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** A part of a page behind a line that says the essential. */
export function part(title: string, gist: string, body: Content): Html {
  return html`<details><summary>${title} <span class="gist">${gist}</span></summary>${body}</details>`;
}

export function code(value: string): Html {
  return html`<code>${value}</code>`;
}
