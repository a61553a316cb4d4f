/**
 * Defences before training and at inference time on backdoored CIFAR-10 models by others, whose training sets are not
 * known. A sanitizer gets half of the training images of two classes, the target among them, and stamped images of
 * other classes as poison of the target: not those that the network was trained on, but such as it obeys. A deployment
 * gets trusted images, then test images of other classes than the target, as they are and stamped.
 *
 *     ANTIDOTE_DATA=... node bench/defences/run.mjs --out results/defences.json
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import {
  count,
  DEPLOYMENTS,
  loadClassifier,
  openDevice,
  openImages,
  Random,
  REFUSED,
  readOverlay,
  SANITIZERS,
  stampOverlay,
  stratified,
  subset,
} from "antidote";
import { describeHardware, describeVersions } from "../../dist/audit/describe.js";
import { prepare } from "../../dist/audit/prepare.js";
import { silent } from "../../dist/core/progress.js";
import { proportion } from "../../dist/core/statistics.js";
import { float32 } from "../../dist/core/tensor.js";
import { ascending, concat, toUnitRange } from "../../dist/data/images.js";
import { toBytes } from "../../dist/data/png.js";
import { flagsOf } from "../flags.mjs";
import { holds, runsIn, writeRecord } from "../record.mjs";

const HELP = `node bench/defences/run.mjs --out RECORD [options]

  --out FILE      the record; what it already holds is not run again
  --poison N      stamped images (125: with 2500 of the target, the share that pt_badnets_m250_t3 was trained on)
  --trusted N     trusted images, drawn from the training set (100)
  --test N        test images, as many of each class (200)
  --copies N      images that STRIP lays over an input (20)
`;
const { flags, data } = flagsOf(
  HELP,
  {
    out: null,
    poison: "125",
    trusted: "100",
    test: "200",
    copies: "20",
  },
  ["out"],
);
const [poison, trustedCount, testCount, copies] = [
  flags.poison,
  flags.trusted,
  flags.test,
  flags.copies,
].map(Number);
const SANITIZED = [
  ["spectral-signatures", {}],
  ["activation-clustering", {}],
  ["activation-clustering", { reduction: "pca" }],
];
const DEPLOYED = [
  ["strip", { copies, mixing: "mean" }],
  ["strip", { copies, mixing: "sum" }],
];

const { folder, models } = JSON.parse(
  readFileSync(new URL("../audits/independent.json", import.meta.url), "utf8"),
);
const geometry = { channels: 3, height: 32, width: 32 };
const train = await openImages(resolve(data, "cifar10"), { ...geometry, split: "train" });
const test = await openImages(resolve(data, "cifar10"), { ...geometry, split: "test" });
const device = await openDevice({ name: "cpu" });
const runs = runsIn(flags.out);

for (const { name, file, target, trigger } of models) {
  if (!trigger) continue;
  const path = resolve(data, folder, trigger.file);
  const overlay = await readOverlay(path, trigger.mode, geometry);
  const stamp = (images) => stampOverlay(overlay, images);
  const opened = await loadClassifier(resolve(data, folder, file), { device });
  const random = Random.fromSeed(0);
  const trusted = subset(train, stratified(train, trustedCount, random.fork("trusted")));
  const context = { device, random, emit: silent };
  const { model } = await prepare(
    context,
    { file: opened.file, model: opened.classifier, trusted },
    0.2,
  );
  const about = (kind, [method, given], registry) => {
    const options = registry[method].config.parse(given);
    return { model: name, [kind]: { name: method, options } };
  };
  for (const choice of SANITIZED) {
    const own = { ...about("sanitizer", choice, SANITIZERS), target, poison };
    if (holds(runs, own)) continue;
    await record(own, () => sanitize(context, model, target, stamp, own.sanitizer));
  }
  for (const choice of DEPLOYED) {
    const own = { ...about("deployment", choice, DEPLOYMENTS), target, trusted: trustedCount };
    if (holds(runs, own)) continue;
    await record(own, () => deploy(context, model, trusted, target, stamp, own.deployment));
  }
}
await device.close();

async function record(about, measure) {
  const started = performance.now();
  const found = await measure();
  const seconds = (performance.now() - started) / 1000;
  const machine = { hardware: describeHardware(device), versions: describeVersions() };
  runs.push({ ...about, ...found, seconds, ...machine });
  writeRecord(flags.out, { runs });
  process.stdout.write(`${JSON.stringify({ ...about, ...found, seconds })}\n`);
}

async function sanitize(context, model, target, stamp, { name, options }) {
  const clean = (target + 1) % train.classNames.length;
  const of = (wanted) => ascending(count(train)).filter((at) => wanted(train.labels[at]));
  const kept = of((label) => label === target || label === clean).filter((_, at) => at % 2 === 0);
  const others = of((label) => label !== target && label !== clean);
  const source = subset(train, context.random.fork("poison").sample(others, poison));
  const stamped = stamp(float32([poison, 3, 32, 32], toUnitRange(source.images)));
  const images = concat(subset(train, kept), {
    ...source,
    images: toBytes(stamped.data),
    labels: source.labels.map(() => target),
  });
  const marked = (at) => at >= kept.length;
  const { scores, removed } = await SANITIZERS[name].run(context, { images, model }, options);
  const inTarget = ascending(count(images)).filter((at) => images.labels[at] === target);
  return {
    auc: auc(scores, inTarget, marked),
    images: count(images),
    removedPoison: removed.filter(marked).length,
    removedClean: {
      target: removed.filter((at) => !marked(at) && images.labels[at] === target).length,
      other: removed.filter((at) => images.labels[at] !== target).length,
    },
  };
}

async function deploy(context, model, trusted, target, stamp, { name, options }) {
  const rows = stratified(test, testCount, context.random.fork("test"));
  const inputs = subset(
    test,
    rows.filter((at) => test.labels[at] !== target),
  );
  const deployed = await DEPLOYMENTS[name].run(context, { model, trusted }, options);
  const share = (answers, wanted) => proportion(answers.filter(wanted).length, answers.length);
  const plain = await deployed.predict(inputs);
  const triggered = await deployed.predict(inputs, { stamp });
  await deployed.release();
  return {
    refusedClean: share(plain, (answer) => answer === REFUSED),
    refusedTriggered: share(triggered, (answer) => answer === REFUSED),
    attackSuccess: share(triggered, (answer) => answer === target),
  };
}

/** Area under the ROC curve among the images at `positions`, by ranks (ties do not occur between real latents). */
function auc(scores, positions, isPositive) {
  const order = [...positions].sort((a, b) => scores[a] - scores[b]);
  let [ranks, positive] = [0, 0];
  for (const [rank, at] of order.entries()) {
    if (!isPositive(at)) continue;
    ranks += rank + 1;
    positive++;
  }
  return (ranks - (positive * (positive + 1)) / 2) / (positive * (order.length - positive));
}
