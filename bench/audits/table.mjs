/**
 * Prints a record of audits as Markdown tables, and how often the verdict and the choice of what is shipped were wrong.
 *
 *     node bench/audits/table.mjs results/independent.json
 */
import { readFileSync } from "node:fs";
import { proportion } from "../../dist/core/statistics.js";
import { percent, printTable } from "../markdown.mjs";

/** The allowed drop of accuracy. */
const DELTA = 0.02;

const { runs } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const repairs = [...new Set(runs.map(({ repair }) => repair))];

for (const repair of repairs) {
  const own = runs.filter((run) => run.repair === repair);
  const models = [...new Set(own.map(({ model }) => model))];
  process.stdout.write(`${title(repair)}\n\n`);
  printTable(
    [
      "model",
      "verdict",
      "score",
      "test accuracy",
      "deployable",
      "ASR",
      "deployable",
      "oracle",
      "seconds",
    ],
    models.map((name) => row(own.filter(({ model }) => model === name))),
  );
  process.stdout.write(`${errors(own).join("\n")}\n\n`);
}

/** Each with its 95 % interval, as if runs of one model with other trusted images were as good as other models. */
function errors(own) {
  const clean = own.filter(({ truth }) => truth === null);
  const backdoored = own.filter(({ truth }) => truth !== null);
  const shipped = backdoored.filter(
    ({ deployable, deployableClaimed }) => deployable && deployableClaimed,
  );
  const refused = backdoored.filter(
    ({ deployable, deployableClaimed }) => deployable && !deployableClaimed,
  );
  const hasKept = ({ before, deployable }) =>
    before.accuracy.value - deployable.accuracy.value <= DELTA + 1e-9;
  return [
    says("False alarms", clean, ({ verdict }) => verdict === "backdoored"),
    says("Undecided on clean models", clean, ({ verdict }) => verdict === "inconclusive"),
    says("Missed, or another class named", backdoored, ({ right }) => !right),
    says("Kept Δ where that was claimed", shipped, hasKept),
    says("Kept Δ though it was not claimed", refused, hasKept),
  ];
}

function says(what, runs, holds) {
  if (runs.length === 0) return `- ${what}: no such run.`;
  const hits = runs.filter(holds).length;
  const { low, high, count } = proportion(hits, runs.length);
  return `- ${what}: ${hits} of ${count} (${percent(low)} to ${percent(high)} %).`;
}

function title(repair) {
  return `Repair \`${repair}\`; mean over the seeds, with their range`;
}

function row(seeds) {
  const [{ model, before }] = seeds;
  const right = seeds.filter((run) => run.right).length;
  const shipped = seeds.filter(({ deployable }) => deployable !== null);
  const success = (points) => points.flatMap((point) => point?.attackSuccess?.value ?? []);
  return [
    `\`${model}\``,
    `${right} of ${seeds.length} right`,
    range(
      seeds.map(({ score }) => score),
      (v) => v.toFixed(2),
    ),
    percent(before.accuracy.value),
    range(
      shipped.map(({ deployable }) => deployable.accuracy.value),
      percent,
    ),
    before.attackSuccess ? percent(before.attackSuccess.value) : "",
    range(success(shipped.map(({ deployable }) => deployable)), percent),
    range(success(seeds.map(({ oracle }) => oracle)), percent),
    range(
      seeds.map(({ duration }) => duration),
      (v) => v.toFixed(0),
    ),
  ];
}

/** "1.2 (1.0–1.5)" */
function range(values, format) {
  if (values.length === 0) return "";
  const mean = format(values.reduce((a, b) => a + b, 0) / values.length);
  if (values.length === 1) return mean;
  return `${mean} (${format(Math.min(...values))}–${format(Math.max(...values))})`;
}
