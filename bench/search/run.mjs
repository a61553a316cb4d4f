/**
 * What successive halving loses against the full grid: the same configurations of a repair on the shipped example,
 * by both strategies.
 *
 *     node bench/search/run.mjs --folder DIR --out results/search.json
 */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { betterFor } from "../../dist/experiments/search/search.js";
import { antidote } from "../program.mjs";
import { writeRecord } from "../record.mjs";

const HELP = `node bench/search/run.mjs --folder DIR --out RECORD [options]

  --folder DIR          where the searches work, and continue where they were stopped
  --out FILE            the record
  --repair R            repair (weight-decay)
  --steps N             steps of a whole run (180)
  --configurations N    configurations (20)
`;
const { values: flags } = parseArgs({
  options: {
    folder: { type: "string" },
    out: { type: "string" },
    repair: { type: "string", default: "weight-decay" },
    steps: { type: "string", default: "180" },
    configurations: { type: "string", default: "20" },
    help: { type: "boolean", default: false },
  },
});
if (flags.help || !flags.folder || !flags.out) {
  process.stdout.write(HELP);
  process.exit(flags.help ? 0 : 4);
}

const subject = ["examples/suspect.onnx", "--images", "examples/trusted"];
const size = ["--repair.steps", flags.steps, "--configurations", flags.configurations];
const [grid, halving] = ["grid", "halving"].map((strategy) => {
  const out = join(resolve(flags.folder), strategy);
  const words = [flags.repair, ...subject, ...size, "--strategy", strategy, "--out", out];
  return antidote("search", ...words);
});

/** Δ as `antidote search` has it by default. */
const ALLOWED_DROP = 0.02;

/** The trials that ran to the end, best first: the order in which a search chooses. */
const order = grid.trials
  .filter(({ options }) => options.steps === Number(flags.steps))
  .sort(betterFor(ALLOWED_DROP));
const text = ({ options }) => JSON.stringify({ ...options, steps: 0 });
const chosen = halving.trials[halving.bestTrial];
const spent = ({ trials }) => trials.reduce((sum, { options }) => sum + options.steps, 0);
const lasted = ({ trials }) => trials.reduce((sum, { duration }) => sum + duration, 0);
const about = ({ success, accuracy, options }) => ({ options, success, accuracy });

writeRecord(flags.out, {
  repair: flags.repair,
  configurations: grid.trials.length,
  space: grid.space,
  grid: { best: about(grid.trials[grid.bestTrial]), steps: spent(grid), seconds: lasted(grid) },
  halving: {
    best: about(chosen),
    steps: spent(halving),
    seconds: lasted(halving),
    rungs: halving.rungs,
    // 1: halving found what the grid found.
    rankInGrid: 1 + order.findIndex((trial) => text(trial) === text(chosen)),
  },
  // How the configurations compare: success and accuracy of every one, best first.
  order: order.map(about),
  poisoned: grid.poisoned,
  hardware: grid.hardware,
  versions: grid.versions,
});
process.stdout.write(
  `grid: ${spent(grid)} steps; halving: ${spent(halving)} steps, its best is number ${1 + order.findIndex((trial) => text(trial) === text(chosen))} of the grid\n`,
);
