/**
 * Makes every table and figure of the paper at the tiny scale from nothing, and again from its store: `npm run test:reproduce
 * [-- FOLDER]`. Everything has to be measured, the second time nothing may run, and both must come to the same. A folder that is
 * named is kept, and goes on where it was stopped.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));
const [named] = process.argv.slice(2);
const folder = named ?? mkdtempSync(join(tmpdir(), "antidote-everything-"));
const store = join(folder, "store");

/** What a command prints with --json, whose progress is shown. */
function antidote(...words) {
  const { stdout, status } = spawnSync(process.execPath, [main, ...words, "--json"], {
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 2 ** 28,
    encoding: "utf8",
  });
  assert.equal(status, 0, stdout);
  return JSON.parse(stdout);
}

/** Names of what is not measured in a table or a figure. */
function unknownIn({ kind, name, head = [], rows = [], panels = [] }) {
  const cells = rows.flatMap((row) =>
    row.flatMap((cell, at) => (cell.measured === null ? [`${name}: ${row[0]}, ${head[at]}`] : [])),
  );
  const series = panels.flatMap(({ title, series = [] }) =>
    series
      .filter(({ points }) => points.length === 0)
      .map((one) => `${name}: ${title}, ${one.name}`),
  );
  const isEmpty =
    kind === "figure" &&
    panels.every(({ series = [], pictures = [] }) => series.length + pictures.length === 0);
  return [...cells, ...series, ...(isEmpty ? [name] : [])];
}

try {
  const make = () => antidote("reproduce", "all", "--store", store, "--out", join(folder, "out"));
  const first = make();
  assert.deepEqual(first.reproduced.flatMap(unknownIn), []);
  for (const { files } of first.reproduced) assert(files.every((file) => existsSync(file)));
  const again = make();
  assert.deepEqual(
    again.runs.filter(({ ran }) => ran > 0),
    [],
  );
  assert.deepEqual(again.reproduced, first.reproduced);
  const { reproduced } = antidote("report", store, "--out", join(folder, "page.html"));
  const shown = first.reproduced.map(({ name }) => name).filter((name) => name !== "figure-8");
  assert.deepEqual(reproduced.map(({ name }) => name).sort(), shown.sort());
  const trials = first.runs.reduce((sum, { ran }) => sum + ran, 0);
  process.stdout.write(`${first.reproduced.length} tables and figures of ${trials} trials\n`);
} finally {
  if (named === undefined) rmSync(folder, { recursive: true });
}
