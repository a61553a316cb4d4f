/**
 * What screening leaves out: classes that it did not pick, in random order, are searched as the picked ones were, and before them
 * the class that led. One with a smaller trigger than the leading one is one that the full search would have put before it. A
 * series that continues where it stopped: with all of the classes it is the full search.
 *
 *     npm run build && ANTIDOTE_DATA=... node bench/screening/missed.mjs --models DIR --verdicts results/screening-verdicts.json --out results/screening-missed.json
 */
import { readFileSync } from "node:fs";
import { DETECTORS, openDevice, Random } from "antidote";
import { describeHardware, describeVersions } from "../../dist/audit/describe.js";
import { auditOptions, scaled } from "../../dist/audit/options.js";
import { prepare } from "../../dist/audit/prepare.js";
import { silent } from "../../dist/core/progress.js";
import { DEFAULT_DETECTOR } from "../../dist/detectors/index.js";
import { searchSmallestTriggers } from "../../dist/inversion/smallest.js";
import { flagsOf } from "../flags.mjs";
import { holds, runsIn, writeRecord } from "../record.mjs";
import { openModels } from "./models.mjs";

const HELP = `node bench/screening/missed.mjs --models DIR --verdicts RECORD --out RECORD [options]

  --models DIR      folder of the planted models
  --verdicts FILE   record of verdict.mjs
  --out FILE        the record; what it holds is not measured again
  --network FILE    the network of the verdicts (SqueezeNet 1.1)
  --preprocessing P what it expects of an image, by a usual name (imagenet)
  --only NAMES      models, with commas between (all)
  --families NAMES  kinds of trigger (masked,smooth)
  --sample N        classes of those that were left out, the first N of their random order (60)
  --threads N       (1)
`;
const { flags, data } = flagsOf(
  HELP,
  {
    ...{ models: null, verdicts: null, out: null, network: null, preprocessing: "imagenet" },
    ...{ only: null, families: "masked,smooth", sample: "60", threads: "1" },
  },
  ["models", "verdicts", "out"],
);

const device = await openDevice({ name: "cpu", threads: Number(flags.threads) });
const { network, preprocessing, models, trusted, open } = await openModels(device, data, {
  ...{ network: flags.network, preprocessing: flags.preprocessing },
  ...{ folder: flags.models, only: flags.only },
});
const verdicts = JSON.parse(readFileSync(flags.verdicts, "utf8")).runs;
const method = DETECTORS[DEFAULT_DETECTOR];
const { heldOut } = auditOptions.parse({});
const runs = runsIn(flags.out);
for (const one of models) {
  const verdict = verdicts.find((run) => run.network === network && run.model === one.name);
  if (!verdict) continue;
  for (const family of flags.families.split(",")) await searchLeftOut(one, verdict, family);
}
await device.close();

/** Searches what was left out, some classes at a time, and keeps every part of it. */
async function searchLeftOut(one, { effort, seed, leading, screening }, family) {
  const about = { network, model: one.name, effort, seed, family, leading };
  const machine = { hardware: describeHardware(device), versions: describeVersions() };
  if (!holds(runs, about))
    runs.push({ ...about, searched: [], smaller: 0, seconds: 0, ...machine });
  const run = runs.find((known) => holds([known], about));

  const { file, model } = await open(one);
  const context = { device, random: Random.fromSeed(seed), emit: silent };
  const subject = { file, model, trusted, preprocessing };
  const { model: suspect, tuning } = await prepare(context, subject, heldOut, "search");
  const { config } = scaled({ method, config: method.config.parse({}) }, effort);
  const plan = { ...config, families: [family] };
  const order = context.random.fork("missed").shuffle(screening.screenedOut);
  const wanted = [leading, ...order.slice(0, Number(flags.sample))];
  while (run.searched.length < wanted.length) {
    const { length } = run.searched;
    const part = wanted.slice(length, length + config.classesPerStep);
    const start = performance.now();
    const [found] = await searchSmallestTriggers(context, suspect, tuning, plan, part);
    run.seconds += (performance.now() - start) / 1000;
    run.searched.push(
      ...found.map(({ target, size, reached }) => ({ class: target, size: reached ? size : null })),
    );
    const [first, ...others] = run.searched;
    run.smaller = others.filter(
      ({ size }) => size !== null && size < (first.size ?? Number.POSITIVE_INFINITY),
    ).length;
    writeRecord(flags.out, { runs });
    const count = others.length;
    process.stdout.write(
      `${network} ${one.name}, ${family}: ${run.smaller} of ${count} are smaller\n`,
    );
  }
}
