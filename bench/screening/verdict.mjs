/**
 * The verdict of `antidote detect` on a network of 1000 classes, screened as by default: as it is, and with backdoors that are
 * planted by tuning it (plant.mjs). Trusted is one image of every class; half of them are among those that backdoors were
 * planted with, as the paper draws trusted images from the training images. Beside it, what the same search costs on ten classes
 * of the same network that are drawn at random.
 *
 *     npm run build && ANTIDOTE_DATA=... node bench/screening/verdict.mjs --models DIR --out results/screening-verdicts.json
 *
 * A second network, EfficientNet-Lite0, is exported by efficientnet.py: `--network efficientnet_lite0.onnx --preprocessing half`.
 */
import { DETECTORS, leadingClass, openDevice, Random } from "antidote";
import { describeHardware, describeVersions } from "../../dist/audit/describe.js";
import { detect } from "../../dist/audit/detect.js";
import { auditOptions, scaled } from "../../dist/audit/options.js";
import { prepare } from "../../dist/audit/prepare.js";
import { silent } from "../../dist/core/progress.js";
import { DEFAULT_DETECTOR } from "../../dist/detectors/index.js";
import { flagsOf } from "../flags.mjs";
import { holds, runsIn, writeRecord } from "../record.mjs";
import { CLASSES, openModels, TEN, upTo } from "./models.mjs";

const HELP = `node bench/screening/verdict.mjs --models DIR --out RECORD [options]

  --models DIR      folder of the planted models; what it holds is not planted again
  --out FILE        the record; what it holds is not measured again
  --network FILE    another network of the 1000 classes of ImageNet (SqueezeNet 1.1)
  --preprocessing P what it expects of an image, by a usual name (imagenet)
  --only NAMES      models, with commas between (all): clean, badnets-T, blended-T
  --effort WORD     quick, standard or thorough (quick)
  --ten             the search of ten classes beside it
  --threads N       (1)
  --seed N          (0)
`;
const { flags, data } = flagsOf(
  HELP,
  {
    models: null,
    out: null,
    network: null,
    preprocessing: "imagenet",
    only: null,
    effort: "quick",
    ten: false,
    threads: "1",
    seed: "0",
  },
  ["models", "out"],
);

const device = await openDevice({ name: "cpu", threads: Number(flags.threads) });
const { network, preprocessing, models, trusted, open } = await openModels(device, data, {
  ...{ network: flags.network, preprocessing: flags.preprocessing },
  ...{ folder: flags.models, only: flags.only },
});
const seed = Number(flags.seed);
const method = DETECTORS[DEFAULT_DETECTOR];
const detector = { method, config: method.config.parse({}) };
const options = auditOptions.parse({ effort: flags.effort });
const runs = runsIn(flags.out);
for (const one of models) {
  const { name, trigger, target } = one;
  const about = { network, model: name, effort: flags.effort, seed };
  if (holds(runs, about)) continue;
  const { facts, file, model } = await open(one);
  const context = { device, random: Random.fromSeed(seed), emit: silent };
  const subject = { file, model, trusted, preprocessing };
  const said = await detect(context, { ...subject, detector, seed }, options);
  const run = {
    ...{ ...about, trigger, target, planted: facts, verdict: said.verdict, score: said.score },
    leading: leadingClass(said).index,
    screening: said.screening,
    classes: said.classes.map(({ index, score, success }) => ({
      ...{ index, score, success: success.suspect.value },
    })),
    reasons: said.reasons,
    seconds: Object.fromEntries(said.stages.map((stage) => [stage.name, stage.seconds])),
    ...{ ten: null, hardware: describeHardware(device), versions: describeVersions() },
  };
  runs.push(run);
  writeRecord(flags.out, { detector: DEFAULT_DETECTOR, runs });
  process.stdout.write(
    `${network} ${name}: ${said.verdict}, ${said.score.toFixed(2)} (truth: ${target ?? "clean"})\n`,
  );
  if (!flags.ten) continue;
  run.ten = await searchOfTen(context, subject);
  writeRecord(flags.out, { detector: DEFAULT_DETECTOR, runs });
}
await device.close();

/** Seconds of the same search on ten classes drawn at random. */
async function searchOfTen(context, subject) {
  const targets = context.random.fork("ten").sample(upTo(CLASSES), TEN);
  const { model, tuning: search } = await prepare(context, subject, options.heldOut, "search");
  const { config } = scaled(detector, options.effort);
  const examined = { targets, controls: targets };
  const start = performance.now();
  await method.search(context, { model, search, examined }, config);
  return { classes: targets, seconds: (performance.now() - start) / 1000 };
}
