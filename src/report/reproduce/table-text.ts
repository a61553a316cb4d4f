import type { Table } from "../../experiments/reproduce/artefact.ts";
import { inColumns } from "../columns.ts";
import { visible } from "../visible.ts";
import { cellWords, readingNotes } from "./words.ts";

/** Characters up to which a table is set in columns; wider ones are set a row after the other. */
const WIDEST = 120;

/** A table for a terminal: plain text without control codes. */
export function tableText({ title, head, rows, notes }: Table): string {
  const cells = rows.map((row) => row.map((cell) => visible(cellWords(cell))));
  const columns = inColumns([head, ...cells]);
  const numbers = head.findIndex((_, at) => rows.some((row) => typeof row[at] !== "string"));
  const about = Math.max(1, numbers);
  const body = columns.every((line) => line.length <= WIDEST)
    ? columns.join("\n")
    : cells.map((row) => asList(head, row, about)).join("\n\n");
  const all = [...notes, ...readingNotes(rows.flat())];
  return [title, "", body, "", ...all.map(visible)].join("\n");
}

/** A row with a cell a line, below the first `about` cells. */
function asList(head: readonly string[], row: readonly string[], about: number): string {
  const width = Math.max(...head.slice(about).map((name) => name.length));
  const title = row.slice(0, about).map((cell, at) => (at === 0 ? cell : `${head[at]} = ${cell}`));
  const lines = row.flatMap((cell, at) =>
    at < about || cell === "" ? [] : [`    ${head[at]!.padEnd(width)}  ${cell}`],
  );
  return [`  ${title.join(", ")}`, ...lines].join("\n");
}
