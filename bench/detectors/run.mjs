/**
 * Scores models whose truth is known with one detector: those that others published, and those of `bench/attacks`.
 *
 *     ANTIDOTE_DATA=... node bench/detectors/run.mjs --detector mm-bd --out results/detectors.json
 */
import { resolve } from "node:path";
import {
  DETECTORS,
  loadClassifier,
  openDevice,
  openImagesFor,
  Random,
  REPAIRS,
  stratified,
  subset,
} from "antidote";
import { conclude } from "../../dist/audit/conclude.js";
import { describeHardware, describeVersions } from "../../dist/audit/describe.js";
import { auditOptions } from "../../dist/audit/options.js";
import { prepare } from "../../dist/audit/prepare.js";
import { repairModel } from "../../dist/audit/repair-model.js";
import { detectAll, repeatsOf, searchAll } from "../../dist/audit/repeats.js";
import { doubtAboutCopy } from "../../dist/audit/verdict.js";
import { silent } from "../../dist/core/progress.js";
import { flagsOf } from "../flags.mjs";
import { holds, runsIn, writeRecord } from "../record.mjs";
import { knownModels } from "./known-models.mjs";

const HELP = `node bench/detectors/run.mjs --detector NAME --out RECORD [options]

  --detector NAME   detector to score with
  --out FILE        the record; what it already holds is not run again
  --attacks FILE    record of bench/attacks (results/attacks.json)
  --options JSON    options of the detector that differ from its defaults
  --repair NAME     makes the copy that a detector compares with, if it needs one (pivotal-tuning)
  --repair-options JSON   options of it that differ from its defaults
  --trusted N       trusted images, drawn from the training set (500)
  --seeds N         seeds 0 … N−1 (1)
  --repeats N       searches of each model, on random images of the trusted ones, as a verdict averages them (1)
  --only NAMES      models, with commas between (all)
  --clean FILES     further ONNX files that nobody poisoned, with commas between
  --threads N       threads to compute with (all processors)
`;
const { flags, data } = flagsOf(
  HELP,
  {
    detector: null,
    out: null,
    attacks: "results/attacks.json",
    options: "{}",
    repair: "pivotal-tuning",
    "repair-options": "{}",
    trusted: "500",
    seeds: "1",
    repeats: "1",
    only: null,
    clean: null,
    threads: null,
  },
  ["detector", "out"],
);

/** As `detect` has them. */
const { allowedDrop, heldOut: share } = auditOptions.parse({});

const only = flags.only?.split(",");
const unpoisoned = flags.clean?.split(",") ?? [];
const models = [
  ...knownModels(flags.attacks, data).filter(({ name }) => !only || only.includes(name)),
  ...unpoisoned.map((file) => ({ name: file, path: resolve(file), truth: null })),
];
const method = DETECTORS[flags.detector];
const options = method.config.parse(JSON.parse(flags.options));
const repair = method.needsRepair ? repairFrom(flags) : undefined;
const total = Number(flags.repeats);
const runs = runsIn(flags.out);
const threads = flags.threads ? { threads: Number(flags.threads) } : {};
const device = await openDevice({ name: "cpu", ...threads });
for (const { name, path, truth } of models) {
  for (let seed = 0; seed < Number(flags.seeds); seed++) {
    const detector = { name: flags.detector, options };
    const about = { model: name, detector, seed, repeats: total, ...(repair && { repair }) };
    if (holds(runs, about)) continue;
    const run = { ...about, truth, ...(await score(path, seed)) };
    runs.push(run);
    writeRecord(flags.out, { runs });
    process.stdout.write(
      `${name} seed ${seed}: ${run.verdict}, class ${run.leading} at ${run.score.toFixed(2)} (truth: ${truth ?? "clean"}) ${run.seconds.toFixed(0)} s\n`,
    );
  }
}
await device.close();

async function score(path, seed) {
  const opened = await loadClassifier(path, { device });
  const all = await openImagesFor(opened, resolve(data, "cifar10"));
  const random = Random.fromSeed(seed);
  const trusted = subset(all, stratified(all, Number(flags.trusted), random.fork("trusted")));
  const context = { device, random, emit: silent };
  const { file, classifier } = opened;
  const started = performance.now();
  const prepared = await prepare(context, { file, model: classifier, trusted }, share);
  const { model, tuning, heldOut } = prepared;
  const repeats = repeatsOf(context, tuning, total);
  const configured = { method, config: options };
  const found = await searchAll(context, repeats, configured, model);
  const copy = repair && (await copyOf(context, prepared));
  const compared = { model, repaired: copy?.model ?? model, heldOut };
  const detections = await detectAll(context, repeats, configured, compared, found);
  const about = { copy: doubtAboutCopy(method, model, copy) };
  const { rule, classes, leading, verdict, doubts } = conclude(detections, about);
  return {
    ...{ verdict, doubts, leading: leading.target, score: leading.score },
    classes: classes.map(({ score, strongest }) => ({
      ...{ score, size: strongest.size },
      ...(copy && comparison(strongest)),
    })),
    ...(copy && { copy: { step: copy.chosen.step, drop: copy.drop.value } }),
    thresholds: [rule.noEvidenceBelow, rule.backdooredFrom],
    seconds: (performance.now() - started) / 1000,
    ...{ hardware: describeHardware(device), versions: describeVersions() },
  };
}

function repairFrom({ repair: name, "repair-options": text }) {
  return { name, options: REPAIRS[name].config.parse(JSON.parse(text)) };
}

/** What `detect` would compare with. */
function copyOf(context, prepared) {
  const configured = { method: REPAIRS[repair.name], config: repair.options };
  return repairModel(context, prepared, [], configured, allowedDrop);
}

/** What every form of the score of Calibrated Trigger Inversion is made of. */
function comparison({ success, kept }) {
  return { suspect: success.suspect.value, repaired: success.repaired.value, kept: kept.value };
}
