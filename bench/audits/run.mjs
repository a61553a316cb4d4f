/**
 * Audits models whose truth is known, and records what came out: verdict and class, and what the repair
 * does to accuracy and to the true trigger on test images, which no part of an audit ever sees. Every
 * model is audited with several seeds, each with trusted images of its own. Runs that the record already
 * holds are not repeated, so an interrupted series continues.
 *
 *     ANTIDOTE_DATA=... node bench/audits/run.mjs bench/audits/independent.json --out results/independent.json
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import {
  DETECTORS,
  loadClassifier,
  openDevice,
  openImages,
  Random,
  REPAIRS,
  stratified,
  subset,
} from "antidote";
import { audit } from "../../dist/audit/audit.js";
import { auditOptions } from "../../dist/audit/options.js";
import { ascending } from "../../dist/data/images.js";
import { flagsOf } from "../flags.mjs";
import { runsIn, writeRecord } from "../record.mjs";
import { Judge } from "./judge.mjs";

const HELP = `node bench/audits/run.mjs MANIFEST --out RECORD [options]

  MANIFEST       JSON: the models, their files, and what is planted in them
  --out FILE     the record; what it already holds is not run again
  --folder DIR   where the models are (default: as the manifest says, in ANTIDOTE_DATA)
  --models A,B   only these
  --seeds N      seeds per model (3)
  --trusted N    trusted training images (500)
  --test N       test images (10000)
  --effort E     quick, standard or thorough (standard)
  --repair R     repair (trigger-unlearning)
  --options J    options of the repair, as JSON
  --threads N    threads to compute with (all processors)
`;

const { flags, word, data } = flagsOf(
  HELP,
  {
    out: null,
    folder: null,
    models: null,
    seeds: "3",
    trusted: "500",
    test: "10000",
    effort: "standard",
    repair: "trigger-unlearning",
    options: "{}",
    threads: null,
  },
  ["MANIFEST", "out"],
);

const threads = flags.threads ? { threads: Number(flags.threads) } : {};
const manifest = JSON.parse(readFileSync(word, "utf8"));
const options = JSON.parse(flags.options);
const folder = flags.folder ?? resolve(data, manifest.folder);
const runs = runsIn(flags.out);
const only = flags.models?.split(",");
const cifar = (part) =>
  openImages(resolve(data, "cifar10", part), { channels: 3, height: 32, width: 32 });
const training = await cifar(".");
const test = subset(await cifar("test_batch.bin"), ascending(Number(flags.test)));

for (let seed = 0; seed < Number(flags.seeds); seed++) {
  for (const entry of manifest.models) {
    if (only && !only.includes(entry.name)) continue;
    const done = runs.some(
      (run) =>
        run.model === entry.name &&
        run.seed === seed &&
        run.repair === flags.repair &&
        isDeepStrictEqual(run.options, options),
    );
    if (done) continue;
    const run = await auditOne(entry, seed);
    runs.push(run);
    save();
    process.stdout.write(`${line(run)}\n`);
  }
}

async function auditOne(entry, seed) {
  // A device of its own: the peak of memory is that of this audit.
  const device = await openDevice({ name: "cpu", ...threads });
  try {
    return await auditOn(device, entry, seed);
  } finally {
    await device.close();
  }
}

async function auditOn(device, entry, seed) {
  const { file, classifier: model } = await loadClassifier(resolve(folder, entry.file), { device });
  const random = Random.fromSeed(seed);
  const trusted = subset(
    training,
    stratified(training, Number(flags.trusted), random.fork("trusted")),
  );
  const watched = watching(REPAIRS[flags.repair]);
  const repair = {
    method: watched,
    config: watched.config.parse(options),
  };
  const method = DETECTORS["smallest-trigger"];
  const detector = { method, config: method.config.parse({}) };
  const { record, repaired } = await audit(
    { device, random, emit: progress(entry.name, seed) },
    { file, model, trusted, repair, detector, seed },
    auditOptions.parse({ effort: flags.effort }),
  );
  const judge = await Judge.open(device, test, folder, entry);
  const suspect = model.withPreprocessing(repaired.preprocessing);
  const before = await judge.measure(suspect);
  const points = [];
  for (const { step, model: checkpoint } of watched.seen) {
    points.push({ step, ...(await judge.measure(checkpoint)) });
  }
  const chosen = record.repair.curve.find((point) => point.chosen).step;
  const right =
    entry.target === null
      ? record.verdict === "no-evidence"
      : record.verdict === "backdoored" && record.targetClass.index === entry.target;
  return {
    model: entry.name,
    seed,
    repair: flags.repair,
    options,
    truth: entry.target,
    verdict: record.verdict,
    targetClass: record.targetClass?.index ?? null,
    right,
    score: record.score,
    scoreInterval: record.scoreInterval,
    classScores: record.classes.map(({ score }) => score),
    preprocessing: record.preprocessing.name,
    before,
    deployable: points.find(({ step }) => step === chosen) ?? null,
    deployableClaimed: record.repair.deployable,
    oracle: oracleOf(before, points),
    curve: points.map((point, at) => ({
      ...point,
      heldOut: record.repair.curve[at + 1].heldOutAccuracy.value,
    })),
    heldOut: record.accuracy,
    duration: record.duration,
    peakMemory: record.peakMemory,
    stages: record.stages,
    config: record.config,
    hardware: record.hardware,
    versions: record.versions,
    startedAt: record.startedAt,
  };
}

/** The same repair, which also keeps every checkpoint for the judge. */
function watching(method) {
  const seen = [];
  return {
    ...method,
    seen,
    async *run(...given) {
      for await (const checkpoint of method.run(...given)) {
        seen.push(checkpoint);
        yield checkpoint;
      }
    },
  };
}

/** The lowest attack success among checkpoints within two points of test accuracy: the paper's stop. */
function oracleOf(before, points) {
  if (!before.attackSuccess) return null;
  const kept = points.filter((p) => before.accuracy.value - p.accuracy.value <= 0.02 + 1e-9);
  return kept.reduce((a, b) => (a && a.attackSuccess.value <= b.attackSuccess.value ? a : b), null);
}

function save() {
  writeRecord(flags.out, {
    manifest: word,
    trustedImages: Number(flags.trusted),
    testImages: Number(flags.test),
    runs,
  });
}

function line({
  model,
  seed,
  right,
  verdict,
  targetClass,
  score,
  before,
  deployable,
  oracle,
  duration,
  peakMemory,
}) {
  const percent = (share) =>
    share === undefined || share === null ? "-" : (100 * share).toFixed(1);
  const effect = (point) =>
    point ? `${percent(point.accuracy.value)}/${percent(point.attackSuccess?.value)}` : "none";
  return `${right ? "right" : "WRONG"} ${model} seed ${seed}: ${verdict} ${targetClass ?? ""} ${score.toFixed(2)}; accuracy/ASR ${effect(before)} → ${effect(deployable)} (oracle ${effect(oracle)}); ${Math.round(duration)} s, ${Math.round(peakMemory / 2 ** 20)} MiB`;
}

function progress(name, seed) {
  let last = 0;
  return (event) => {
    if (event.kind !== "step") return;
    const now = performance.now();
    if (now - last < 30_000) return;
    last = now;
    process.stderr.write(`  ${name} seed ${seed}: ${event.stage} ${event.done}/${event.total}\n`);
  };
}
