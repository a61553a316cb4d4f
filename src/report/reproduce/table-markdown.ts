import type { Table } from "../../experiments/reproduce/artefact.ts";
import { visible } from "../visible.ts";
import { cellWords, readingNotes } from "./words.ts";

/** A table as a Markdown document. */
export function tableMarkdown({ title, head, rows, notes }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escapeMarkdown).join(" | ")} |`;
  const all = [...notes, ...readingNotes(rows.flat())];
  return [
    `# ${escapeMarkdown(title)}`,
    "",
    line(head),
    `|${head.map(() => " --- |").join("")}`,
    ...rows.map((row) => line(row.map(cellWords))),
    "",
    ...all.map((note) => `- ${escapeMarkdown(note)}`),
    "",
  ].join("\n");
}

/** Text that Markdown takes for nothing but text, also within a table. */
function escapeMarkdown(text: string): string {
  return visible(text).replace(/[\\`*_|<[]/g, (character) => `\\${character}`);
}
