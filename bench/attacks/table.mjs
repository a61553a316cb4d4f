/**
 * Prints the record of attacks as the table in docs/attacks.md.
 *
 *     node bench/attacks/table.mjs results/attacks.json
 */
import { readFileSync } from "node:fs";
import { percent, printTable } from "../markdown.mjs";
import { short } from "../record.mjs";

const [file] = process.argv.slice(2);
if (!file) {
  process.stderr.write("node bench/attacks/table.mjs RECORD\n");
  process.exit(4);
}
const { runs } = JSON.parse(readFileSync(file, "utf8"));
const measured = (it) =>
  it ? `${percent(it.value)} (${percent(it.low)}–${percent(it.high)})` : "";
const place = (embed) => (embed === null ? "" : embed.replace("-augmentation", ""));
const paper = (numbers) =>
  numbers
    ? [numbers.cda, numbers.asr]
        .filter((share) => share !== null)
        .map((share) => percent(share, 0))
        .join(", ")
    : "not in it";

const named = ({ attack, surrogate, changes = { options: {} } }) => {
  if (attack === null) return "none";
  const options = Object.entries(changes.options).map(
    ([option, value]) => `${option} ${short(value)}`,
  );
  return [`\`${attack.name}\``, ...(surrogate ? [`on ${surrogate}`] : []), ...options].join(", ");
};

const rows = runs.map((run) => [
  named(run),
  run.samples ?? "",
  place(run.embed),
  run.boost ?? "",
  measured(run.accuracy),
  measured(run.attackSuccess),
  paper(run.paper),
]);
const head = ["attack", "m", "embedded", "boost", "CDA", "ASR", "Table II: CDA, ASR"];
printTable(head, rows);
