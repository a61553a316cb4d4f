/**
 * How well held-out images tell what a repair costs: the drop of accuracy that they show, looked at as they are or in several views
 * moved and mirrored at random, against the drop on test images. Reads the repairs of a result store that has kept the models.
 *
 *     ANTIDOTE_DATA=... node bench/repairs/views.mjs --store results/small --experiment table-3-small --out results/views.json
 */
import { existsSync } from "node:fs";
import { openDevice, Random, ResultStore } from "antidote";
import { describeHardware, describeVersions } from "../../dist/audit/describe.js";
import { divideTrusted } from "../../dist/audit/prepare.js";
import { silent } from "../../dist/core/progress.js";
import { pairedDrop } from "../../dist/core/statistics.js";
import { augment } from "../../dist/data/augment.js";
import { count } from "../../dist/data/images.js";
import { sourceOf } from "../../dist/experiments/grid/experiment-file.js";
import { keptModel, readImages, trustedImages } from "../../dist/experiments/grid/materials.js";
import { keptPlan } from "../../dist/experiments/grid/plans.js";
import { compilePredictor } from "../../dist/models/predict.js";
import { flagsOf } from "../flags.mjs";
import { holds, runsIn, writeRecord } from "../record.mjs";

const HELP = `node bench/repairs/views.mjs --store DIR --experiment NAME --out RECORD [options]

  --store DIR         result store with its models
  --experiment NAME   whose repairs
  --out FILE          the record; what it already holds is not run again
  --threads N         (1)
`;

/** How an image is looked at: number of views, pixels it may move, and whether it may be mirrored. */
const WAYS = {
  alone: { views: 1 },
  "16 moved by 2": { views: 16, padding: 2, flip: false },
  "16 moved by 4": { views: 16, padding: 4, flip: false },
  "8 moved by 4, mirrored": { views: 8, padding: 4, flip: true },
  "16 moved by 4, mirrored": { views: 16, padding: 4, flip: true },
};

const needed = ["store", "experiment", "out"];
const { flags, data } = flagsOf(
  HELP,
  { store: null, experiment: null, out: null, threads: "1" },
  needed,
);
const device = await openDevice({ name: "cpu", threads: Number(flags.threads) });
const store = ResultStore.existing(flags.store);
const { experiment, trials } = await keptPlan(store, flags.experiment);
const images = await readImages(sourceOf(experiment, data), { emit: silent });
const runs = runsIn(flags.out);
for (const { key, label, config } of trials) {
  const kept = [key, config.model].every((of) => of && existsSync(store.modelPath(of)));
  if (config.kind !== "repair" || !store.has(key) || !kept || holds(runs, { key })) continue;
  const { outcome } = await store.read(key);
  const context = { device, random: Random.fromSeed(config.seed), emit: silent };
  const trusted = trustedImages(images, config.trusted, context.random);
  const { heldOut } = divideTrusted(trusted, config.heldOut, context.random);
  const [suspect, repaired] = [
    await keptModel(context, { store }, config.model),
    await keptModel(context, { store }, key),
  ];
  const drops = {};
  for (const [way, { views, ...how }] of Object.entries(WAYS)) {
    const random = Random.fromSeed(0);
    const looks = Array.from({ length: views }, (_, view) =>
      view === 0
        ? heldOut.images
        : augment(heldOut.images, heldOut, random.fork(String(view)), how),
    );
    const [before, after] = [
      await rightIn(suspect, heldOut, looks),
      await rightIn(repaired, heldOut, looks),
    ];
    const { value, error } = pairedDrop(before, after);
    drops[way] = { value, error };
  }
  const { before, deployable } = outcome;
  const test = before.accuracy.value - deployable.accuracy.value;
  runs.push({
    ...{ key, label, heldOut: count(heldOut), test, drops },
    ...{ hardware: describeHardware(device), versions: describeVersions() },
  });
  writeRecord(flags.out, { runs });
}
await device.close();

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const points = (share) => (100 * share).toFixed(1);
for (const way of Object.keys(WAYS)) {
  const misses = runs.map(({ test, drops }) => drops[way].value - test);
  const claimed = runs.filter(({ drops }) => drops[way].value - drops[way].error <= 0.02);
  const right = claimed.filter(({ test }) => test <= 0.02);
  process.stdout.write(
    `${way}: bias ${points(mean(misses))}, root mean square error ${points(Math.sqrt(mean(misses.map((miss) => miss ** 2))))}, ` +
      `standard error ${points(mean(runs.map(({ drops }) => drops[way].error)))} points; ` +
      `${claimed.length} of ${runs.length} claimed, ${right.length} rightly\n`,
  );
}

/** For every image the share of these looks at it that the model is right on. */
async function rightIn(model, set, looks) {
  const predictor = await compilePredictor(device, model, Math.min(100, count(set)));
  const right = new Float64Array(count(set));
  for (const look of looks) {
    const { classes } = await predictor.predict({ ...set, images: look });
    for (const [row, c] of classes.entries()) right[row] += (c === set.labels[row]) / looks.length;
  }
  await predictor.release();
  return right;
}
