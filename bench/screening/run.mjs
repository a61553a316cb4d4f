/**
 * What screening is worth on a network of 1000 classes: SqueezeNet 1.1 as it is, and with backdoors that are planted
 * here by tuning it on poisoned images. For each: the rank of the true target among all classes, and, where asked, what
 * a screened search and a full search of ten classes of the same network cost and find.
 *
 *     npm run build && ANTIDOTE_DATA=... node bench/screening/run.mjs --models DIR --out results/screening.json
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { exportModel, loadClassifier, openDevice, Random, subset, writeOnnxFile } from "antidote";
import { describeHardware, describeVersions } from "../../dist/audit/describe.js";
import { silent } from "../../dist/core/progress.js";
import { screenClasses } from "../../dist/inversion/screen-classes.js";
import { searchSmallestTriggers, suspected } from "../../dist/inversion/smallest.js";
import { flagsOf } from "../flags.mjs";
import { holds, runsIn, writeRecord } from "../record.mjs";
import { TRIGGERS } from "./backdoors.mjs";
import { openExperiment, PREPROCESSING } from "./images.mjs";
import { PLANTING, plant } from "./plant.mjs";

const HELP = `node bench/screening/run.mjs --models DIR --out RECORD [options]

  --models DIR      folder of the planted models; what it holds is not planted again
  --out FILE        the record; what it holds is not measured again
  --only NAMES      models, with commas between (all): clean, badnets-T, blended-T
  --trusted N       images of the defender (64)
  --families NAMES  kinds of trigger (masked,smooth)
  --survivors N     classes that screening picks (8)
  --controls N      classes that are drawn at random (4)
  --steps N         steps of tournaments and searches (30)
  --images N        images per trigger and step (4)
  --search          searches the examined classes in full, and ten random classes beside, to compare cost
  --threads N       (1)
  --seed N          (0)
`;
const { flags, data } = flagsOf(
  HELP,
  {
    models: null,
    out: null,
    only: null,
    trusted: "64",
    families: "masked,smooth",
    survivors: "8",
    controls: "4",
    steps: "30",
    images: "4",
    search: false,
    threads: "1",
    seed: "0",
  },
  ["models", "out"],
);

const CLASSES = 1000;
const TARGETS = 2;
/** Classes of the full search that a screened one is compared with. */
const TEN = 10;

const upTo = (n) => Array.from({ length: n }, (_, i) => i);
const root = Random.fromSeed(0);
const targets = root.fork("screening/targets").sample(upTo(CLASSES), TARGETS);
const network = `${data}/models/imagenet_squeezenet1_1.onnx`;
const device = await openDevice({ name: "cpu", threads: Number(flags.threads) });
const opened = await loadClassifier(network, { device });
const { attacker, defender } = await openExperiment(opened, data);

const models = [
  { name: "clean", file: network, trigger: null, target: null },
  ...targets.flatMap((target) =>
    Object.keys(TRIGGERS).map((trigger) => {
      const name = `${trigger}-${target}`;
      return { name, file: `${flags.models}/${name}.onnx`, trigger, target };
    }),
  ),
].filter(({ name }) => !flags.only || flags.only.split(",").includes(name));

/** Plants what is not there yet; returns what planting did. */
async function planted({ file, trigger, target }) {
  if (trigger === null) return null;
  const facts = file.replace(/onnx$/, "json");
  if (!existsSync(file)) {
    await mkdir(flags.models, { recursive: true });
    const start = performance.now();
    const random = root.fork(`plant/${trigger}/${target}`);
    const model = opened.classifier.withPreprocessing(PREPROCESSING);
    const images = { model, attacker, defender };
    const overlay = TRIGGERS[trigger](opened.classifier.image);
    const { model: made, ...said } = await plant(
      { device, random, emit: silent },
      images,
      overlay,
      target,
    );
    await writeOnnxFile(file, exportModel(opened.file, made.changes, {}));
    const seconds = (performance.now() - start) / 1000;
    writeFileSync(facts, JSON.stringify({ ...said, recipe: PLANTING, seconds }));
  }
  return JSON.parse(readFileSync(facts, "utf8"));
}

const runs = runsIn(flags.out);
for (const one of models) {
  const { name, file, trigger, target } = one;
  const plan = {
    families: flags.families.split(","),
    survivors: Number(flags.survivors),
    controls: Number(flags.controls),
    effort: { steps: Number(flags.steps), images: Number(flags.images) },
  };
  const seed = Number(flags.seed);
  const about = { model: name, trusted: Number(flags.trusted), plan, seed, searched: flags.search };
  if (holds(runs, about)) continue;
  const facts = await planted(one);
  const { classifier } = await loadClassifier(file, { device });
  const model = classifier.withPreprocessing(PREPROCESSING);
  const random = Random.fromSeed(seed);
  const images = subset(
    defender,
    random.fork("trusted").sample(upTo(defender.labels.length), about.trusted),
  );
  const context = { device, random, emit: silent };

  const start = performance.now();
  const { ranking, rankings, survivors, controls, targets } = await screenClasses(
    context,
    model,
    images,
    { ...plan, groupsPerStep: 4 },
  );
  const seconds = (performance.now() - start) / 1000;
  const rankOf = (order) => (target === null ? null : order.indexOf(target) + 1);
  const run = {
    ...{ ...about, trigger, target, planted: facts },
    screening: {
      ...{ seconds, survivors, controls, rank: rankOf(ranking) },
      rankByFamily: Object.fromEntries(plan.families.map((f, i) => [f, rankOf(rankings[i])])),
      survived: target === null ? null : survivors.includes(target),
      leading: rankings.map((order) => order.slice(0, 10)),
    },
    ...(flags.search ? await searched(context, model, images, plan, targets) : {}),
    ...{ hardware: describeHardware(device), versions: describeVersions() },
  };
  runs.push(run);
  writeRecord(flags.out, { runs });
  process.stdout.write(`${JSON.stringify({ name, ...run.screening, search: run.search })}\n`);
}
await device.close();

/** The full search of the examined classes, and of ten classes drawn at random: what it costs, and what it finds. */
async function searched(context, model, images, { families, effort }, examined) {
  const ten = context.random.fork("ten").sample(upTo(CLASSES), TEN);
  const result = {};
  for (const [key, classes] of [
    ["search", examined],
    ["ten", ten],
  ]) {
    const start = performance.now();
    const plan = { ...effort, families, classesPerStep: 4, success: 0.9 };
    const found = await searchSmallestTriggers(context, model, images, plan, classes);
    const seconds = (performance.now() - start) / 1000;
    const triggers = suspected(found).map(({ overlay: _, ...said }) => said);
    result[key] = { seconds, classes, triggers };
  }
  return result;
}
