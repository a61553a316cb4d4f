/**
 * Prints a record of verdict.mjs as a Markdown table.
 *
 *     node bench/screening/table.mjs results/screening-verdicts.json
 */
import { readFileSync } from "node:fs";

const { runs } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const percent = (share) => (100 * share).toFixed(1).replace(/\.0$/, "");
const line = (cells) => `| ${cells.join(" | ")} |\n`;

const head = [
  ...["network", "model", "success", "accuracy", "rank", "verdict", "score", "the next class"],
  ...["seconds", "of ten classes"],
];
process.stdout.write(line(head) + line(head.map(() => "---")));
for (const { network, model, target, planted, screening, ...run } of runs) {
  const { preflight: _, ...stages } = run.seconds;
  const total = (seconds) => Object.values(seconds).reduce((sum, s) => sum + s, 0);
  const scores = run.classes.map(({ score }) => score).sort((a, b) => b - a);
  const place = screening.survivors.findIndex(({ index }) => index === target) + 1;
  const right = target === null ? run.verdict === "no-evidence" : run.leading === target;
  process.stdout.write(
    line([
      ...[`\`${network}\``, `\`${model}\``, planted ? percent(planted.success) : ""],
      planted ? `${percent(planted.accuracy.before)} → ${percent(planted.accuracy.after)}` : "",
      target === null ? "" : place || "screened out",
      `${run.verdict}${right ? "" : `, class ${run.leading}`}`,
      ...scores.slice(0, 2).map((score) => score.toFixed(2)),
      total(stages).toFixed(0),
      run.ten ? run.ten.seconds.toFixed(0) : "",
    ]),
  );
}
