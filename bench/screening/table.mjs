/**
 * Prints a record of verdict.mjs as a Markdown table.
 *
 *     node bench/screening/table.mjs results/screening-verdicts.json
 */
import { readFileSync } from "node:fs";
import { percent, printTable } from "../markdown.mjs";

const { runs } = JSON.parse(readFileSync(process.argv[2], "utf8"));
/** A share of few images, without a digit that says nothing. */
const rounded = (share) => percent(share).replace(/\.0$/, "");

const head = [
  ...["network", "model", "success", "accuracy", "rank", "verdict", "score", "the next class"],
  ...["seconds", "of ten classes"],
];
const rows = runs.map(({ network, model, target, planted, screening, ...run }) => {
  const { preflight: _, ...stages } = run.seconds;
  const total = (seconds) => Object.values(seconds).reduce((sum, s) => sum + s, 0);
  const scores = run.classes.map(({ score }) => score).sort((a, b) => b - a);
  const place = screening.survivors.findIndex(({ index }) => index === target) + 1;
  const right = target === null ? run.verdict === "no-evidence" : run.leading === target;
  return [
    ...[`\`${network}\``, `\`${model}\``, planted ? rounded(planted.success) : ""],
    planted ? `${rounded(planted.accuracy.before)} → ${rounded(planted.accuracy.after)}` : "",
    target === null ? "" : place || "screened out",
    `${run.verdict}${right ? "" : `, class ${run.leading}`}`,
    ...scores.slice(0, 2).map((score) => score.toFixed(2)),
    total(stages).toFixed(0),
    run.ten ? run.ten.seconds.toFixed(0) : "",
  ];
});
printTable(head, rows);
