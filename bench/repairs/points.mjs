/**
 * Prints what docs/evidence/pivotal-tuning.md has of single experiments: for every repair of a model the checkpoint with the lowest
 * attack success within Δ of test accuracy, the last one, and what a defender ships. Repairs are named by the options that are not
 * their defaults.
 *
 *     node bench/repairs/points.mjs results/control control control-rates
 */
import { isDeepStrictEqual } from "node:util";
import { REPAIRS } from "../../dist/repairs/index.js";
import { printTable } from "../markdown.mjs";
import { both, chosen, code, repairsIn, shipped } from "./runs.mjs";

const [store, ...experiments] = process.argv.slice(2);
if (experiments.length === 0) {
  process.stderr.write("node bench/repairs/points.mjs STORE EXPERIMENT…\n");
  process.exit(4);
}
const all = [];
for (const name of experiments) all.push(...(await repairsIn(store, name, Object.keys(REPAIRS))));

printTable(
  [
    "repair",
    "options",
    "steps",
    "the lowest attack success within two points",
    "at the end",
    "what a defender ships",
  ],
  all.map((run) => [
    code(run.repair),
    differing(run),
    run.end.step,
    `${chosen(run)}${run.oracle.step === 0 ? "" : ` (step ${run.oracle.step})`}`,
    both(run.end),
    shipped(run),
  ]),
);

/** The options that differ from the method's, apart from how long it goes on and how often it is looked at. */
function differing({ repair, options }) {
  const { steps: _, checkpointEvery: __, ...rest } = options;
  const usual = REPAIRS[repair].config.parse({});
  return Object.entries(rest)
    .filter(([name, value]) => !isDeepStrictEqual(value, usual[name]))
    .map(([name, value]) => code(`${name} ${value}`))
    .join(", ");
}
