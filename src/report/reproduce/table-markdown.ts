import type { Table } from "../../experiments/reproduce/artefact.ts";
import { visible } from "../visible.ts";
import { cellWords, readingNotes } from "./words.ts";

/** A table as a Markdown document, with its columns in line. */
export function tableMarkdown({ title, head, rows, notes }: Table): string {
  const cells = [head, ...rows.map((row) => row.map(cellWords))].map((row) =>
    row.map(escapeMarkdown),
  );
  const widths = head.map((_, at) => Math.max(3, ...cells.map((row) => row[at]!.length)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, at) => cell.padEnd(widths[at]!)).join(" | ")} |`;
  const [names, ...lines] = cells.map(line);
  const all = [...notes, ...readingNotes(rows.flat())];
  return [
    `# ${escapeMarkdown(title)}`,
    "",
    names,
    line(widths.map((width) => "-".repeat(width))),
    ...lines,
    "",
    ...all.map((note) => `- ${escapeMarkdown(note)}`),
    "",
  ].join("\n");
}

/** Text that Markdown takes for nothing but text, also within a table. */
function escapeMarkdown(text: string): string {
  return visible(text).replace(/[\\`*_|<[]/g, (character) => `\\${character}`);
}
