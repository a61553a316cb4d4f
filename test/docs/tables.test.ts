import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

/** Tables of the docs, and the command that prints them from records. */
const PRINTED = [
  ["docs/attacks.md", "bench/attacks/table.mjs results/attacks.json"],
  ["docs/evidence/repairs.md", "bench/repairs/table.mjs results/small results/control"],
  [
    "docs/evidence/pivotal-tuning.md",
    "bench/repairs/points.mjs results/control control control-rates control-decay",
  ],
  [
    "docs/evidence/pivotal-tuning.md",
    "bench/repairs/points.mjs results/small pivotal-tuning-decay",
  ],
  [
    "docs/evidence/detectors.md",
    "bench/detectors/copies.mjs results/small reference-by-labels figure-5-small",
  ],
  ["docs/evidence/detectors.md", "bench/detectors/racing-agreement.mjs"],
  ["docs/evidence/verdicts.md", "bench/audits/table.mjs results/independent.json"],
  ["docs/evidence/screening.md", "bench/screening/table.mjs results/screening-verdicts.json"],
] as const;

test.each(PRINTED)("%s says what %s prints today", (page, command) => {
  const printed = rowsOf(execFileSync(process.execPath, command.split(" "), { encoding: "utf8" }));
  expect(printed.length).toBeGreaterThan(2);
  const written = new Set(rowsOf(readFileSync(page, "utf8")));
  expect(printed.filter((row) => !written.has(row))).toEqual([]);
});

/** The rows of all Markdown tables of a text, without the lines below their heads and the space around cells. */
function rowsOf(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("|") && !line.startsWith("| --"))
    .map((line) => line.replaceAll(/\s*\|\s*/g, "|"));
}
