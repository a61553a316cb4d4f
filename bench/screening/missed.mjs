/**
 * What screening leaves out: classes drawn at random from those that it did not pick are searched as the picked ones were, beside
 * the class that led. One with a smaller trigger than the leading one is one that the full search would have put before it.
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
  --sample N        classes drawn from those that were left out (60)
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
  const { effort, seed, leading } = verdict;
  for (const family of flags.families.split(",")) {
    const about = { network, model: one.name, effort, seed, family, leading };
    const random = Random.fromSeed(seed);
    const { screenedOut } = verdict.screening;
    const sample = random.fork("missed").sample(screenedOut, Number(flags.sample));
    if (holds(runs, { ...about, sample })) continue;
    const { file, model } = await open(one);
    const context = { device, random, emit: silent };
    const subject = { file, model, trusted, preprocessing };
    const { model: suspect, tuning } = await prepare(context, subject, heldOut, "search");
    const { config } = scaled({ method, config: method.config.parse({}) }, effort);
    const start = performance.now();
    const plan = { ...config, families: [family] };
    const [found] = await searchSmallestTriggers(context, suspect, tuning, plan, [
      leading,
      ...sample,
    ]);
    const sizes = found.map(({ size, reached }) => (reached ? size : null));
    const smaller = sizes.slice(1).filter((size) => size !== null && size < sizes[0]).length;
    const seconds = (performance.now() - start) / 1000;
    runs.push({
      ...{ ...about, sample, leadingSize: sizes[0], sizes: sizes.slice(1), smaller, seconds },
      ...{ hardware: describeHardware(device), versions: describeVersions() },
    });
    writeRecord(flags.out, { runs });
    process.stdout.write(
      `${network} ${one.name}, ${family}: ${smaller} of ${sample.length} are smaller\n`,
    );
  }
}
await device.close();
