/**
 * Prints what docs/evidence/repairs.md has of Table III in small: what is shipped of every attack, with more trusted images, too,
 * the order of the repairs beside the paper's, and how often Δ was kept.
 *
 *     node bench/repairs/table.mjs results/small results/control
 */
import {
  TABLE_3,
  TABLED_ATTACKS,
  TABLED_REPAIRS,
  TABLED_SHARES,
} from "../../dist/experiments/reproduce/paper.js";
import { DEFAULT_REPAIR } from "../../dist/repairs/index.js";
import { percent, printTable } from "../markdown.mjs";
import { both, chosen, code, repairsIn, shipped } from "./runs.mjs";

/** The allowed drop of accuracy. */
const DELTA = 0.02;
const REPAIRS = [...TABLED_REPAIRS, DEFAULT_REPAIR];

const [smallStore, controlStore] = process.argv.slice(2);
if (!controlStore) {
  process.stderr.write("node bench/repairs/table.mjs SMALL CONTROL\n");
  process.exit(4);
}
const small = await repairsIn(smallStore, "table-3-small", REPAIRS);
const control = await repairsIn(controlStore, "control-five", REPAIRS);
/** Numbers of trusted images, which are the paper's shares, ascending. */
const trusteds = [...new Set(small.map(({ trusted }) => trusted))].sort((a, b) => a - b);
const shares = TABLED_SHARES.map((share) => `r = ${100 * share} %`);
const fewest = small.filter(({ trusted }) => trusted === trusteds[0]);

printTable(
  ["attack", "before", ...REPAIRS.map(code), "its oracle"],
  TABLED_ATTACKS.map((attack) => {
    const own = REPAIRS.map((repair) => one(fewest, { attack, repair }));
    const last = own.at(-1);
    return [code(attack), both(last.before), ...own.map(shipped), chosen(last)];
  }),
);

printTable(
  [
    ...["repair", "paper, oracle", "small, oracle", "small, shipped (points lost)"],
    ...["procedural, oracle", "at the end"],
  ],
  TABLED_REPAIRS.map((repair, column) => {
    const ours = fewest.filter((run) => run.repair === repair);
    const alone = one(control, { repair });
    const lost = mean(ours.map(({ before, deployable }) => before.accuracy - deployable.accuracy));
    return [
      code(repair),
      percent(mean(TABLED_ATTACKS.map((attack) => TABLE_3[attack][column][0])), 0),
      percent(mean(ours.map(({ oracle }) => oracle.success)), 0),
      `${percent(mean(ours.map(({ deployable }) => deployable.success)), 0)} (${percent(lost)})`,
      ...[alone.oracle, alone.end].map(({ success }) => percent(success)),
    ];
  }),
);

const several = REPAIRS.filter((repair) =>
  small.some((run) => run.repair === repair && run.trusted !== trusteds[0]),
);
printTable(
  ["attack", "repair", "before", ...shares.flatMap((share) => [share, "oracle"])],
  TABLED_ATTACKS.flatMap((attack) =>
    several.map((repair) => {
      const own = trusteds.map((trusted) => one(small, { attack, repair, trusted }));
      const cells = own.flatMap((run) => [shipped(run), chosen(run)]);
      return [code(attack), code(repair), both(own[0].before), ...cells];
    }),
  ),
);

const groups = [
  ["the paper's", small.filter(({ repair }) => repair !== DEFAULT_REPAIR)],
  [code(DEFAULT_REPAIR), small.filter(({ repair }) => repair === DEFAULT_REPAIR)],
];
printTable(
  [
    "repairs",
    "",
    "runs",
    "Δ kept",
    "claimed",
    "of which Δ kept",
    "oracle has another than the suspect",
  ],
  groups.flatMap(([name, runs]) =>
    trusteds.flatMap((trusted, at) => {
      const own = runs.filter((run) => run.trusted === trusted);
      if (own.length === 0) return [];
      const [kept, claimed] = [own.filter((run) => run.kept), own.filter((run) => run.claimed)];
      const right = claimed.filter((run) => run.kept);
      const others = own.filter(({ oracle }) => oracle.step > 0);
      return [
        [name, shares[at], ...[own, kept, claimed, right, others].map(({ length }) => length)],
      ];
    }),
  ),
);
const late = small.filter(comesBack).length;
process.stdout.write(
  `The oracle's checkpoint comes after a loss of more than Δ in ${late} of ${small.length}.\n`,
);

/** The first run that is about these. */
function one(runs, about) {
  return runs.find((run) => Object.entries(about).every(([name, value]) => run[name] === value));
}

/** Whether the oracle's checkpoint comes after one that has lost more than Δ. */
function comesBack({ before, curve, oracle }) {
  const lost = curve.findIndex(({ accuracy }) => before.accuracy - accuracy > DELTA + 1e-9);
  return lost >= 0 && oracle.step > curve[lost].step;
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
