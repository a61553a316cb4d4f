import type { Table, TableCell } from "../../experiments/reproduce/artefact.ts";
import { type Html, html } from "../html.ts";
import { cellParts, NOT_MEASURED, readingNotes } from "./words.ts";

/** Columns from which on a table is set closely. */
const DENSE = 8;

/** A table with its notes. */
export function tableHtml({ head, rows, notes }: Table): Html {
  const isWords = head.map((_, at) => rows.every((row) => typeof row[at] === "string"));
  const style = (at: number) => (isWords[at] ? "words" : "numbers");
  return html`<div class="scroll"><table class="${head.length > DENSE ? "compared dense" : "compared"}">
<thead><tr>${head.map((name, at) => html`<th scope="col" class="${style(at)}">${name}</th>`)}</tr></thead>
<tbody>${rows.map(
    ([first, ...row]) => html`
<tr><th scope="row">${cellHtml(first!)}</th>${row.map((cell, at) => html`<td class="${style(at + 1)}">${cellHtml(cell)}</td>`)}</tr>`,
  )}
</tbody></table></div>
${notesHtml([...notes, ...readingNotes(rows.flat())])}`;
}

export function notesHtml(notes: readonly string[]): Html {
  return html`<ul class="notes">${notes.map((note) => html`<li>${note}</li>`)}</ul>`;
}

/** Our number, what it rests on, and the paper's, each on a line of its own. */
function cellHtml(cell: TableCell): Html {
  if (typeof cell === "string") return html`${cell}`;
  const { ours, basis, paper } = cellParts(cell);
  const style = ours === NOT_MEASURED ? "ours absent" : "ours";
  return html`<span class="${style}">${ours}</span>${basis !== null && html`<span class="basis">${basis}</span>`}${paper !== null && html`<span class="paper">${paper}</span>`}`;
}
