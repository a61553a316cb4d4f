/**
 * What it costs to give up classes early in a search for the smallest triggers, and what is lost. Every model is searched in
 * full once, and the smallest trigger of every class noted as the search goes on; a race that gives up all but the best classes
 * after some steps is the beginning of that search but for its random draws, so what it would have found is known about.
 *
 *     npm run build && ANTIDOTE_DATA=... node bench/detectors/racing.mjs --out results/racing.json
 */
import { resolve } from "node:path";
import { loadClassifier, openDevice, openImagesFor, Random, stratified, subset } from "antidote";
import { describeHardware, describeVersions } from "../../dist/audit/describe.js";
import { prepare } from "../../dist/audit/prepare.js";
import { silent } from "../../dist/core/progress.js";
import { invertTriggers } from "../../dist/inversion/invert.js";
import { searchPlan } from "../../dist/inversion/search-plan.js";
import { smallest } from "../../dist/inversion/size-control.js";
import { DEFAULT_EFFORT } from "../../dist/inversion/smallest.js";
import { flagsOf } from "../flags.mjs";
import { holds, runsIn, writeRecord } from "../record.mjs";
import { knownModels } from "./known-models.mjs";

const HELP = `node bench/detectors/racing.mjs --out RECORD [options]

  --out FILE        the record; what it already holds is not run again
  --attacks FILE    record of bench/attacks (results/attacks.json)
  --only NAMES      models, with commas between (all)
  --trusted N       trusted images, drawn from the training set (500)
  --every N         steps between two notes (10)
  --seeds N         seeds 0 … N−1 (2): how far two full searches agree is what a race can be measured by
  --threads N       (1)
`;
const { flags, data } = flagsOf(
  HELP,
  {
    ...{ out: null, attacks: "results/attacks.json", only: null },
    ...{ trusted: "500", every: "10", seeds: "2", threads: "1" },
  },
  ["out"],
);

const device = await openDevice({ name: "cpu", threads: Number(flags.threads) });
const runs = runsIn(flags.out);
const only = flags.only?.split(",");
const every = Number(flags.every);
for (const { name, path, truth } of knownModels(flags.attacks, data)) {
  if (only && !only.includes(name)) continue;
  for (let seed = 0; seed < Number(flags.seeds); seed++) {
    if (holds(runs, { model: name, seed })) continue;
    const start = performance.now();
    const families = await searched(path, Random.fromSeed(seed));
    const seconds = (performance.now() - start) / 1000;
    runs.push({
      ...{ model: name, seed, truth, every, steps: DEFAULT_EFFORT.steps, families, seconds },
      ...{ hardware: describeHardware(device), versions: describeVersions() },
    });
    writeRecord(flags.out, { runs });
    process.stdout.write(`${name} seed ${seed}: ${seconds.toFixed(0)} s\n`);
  }
}
await device.close();

/** The sizes that `sizesOf` notes, for every kind of trigger. */
async function searched(path, random) {
  const opened = await loadClassifier(path, { device });
  const all = await openImagesFor(opened, resolve(data, "cifar10"));
  // The same images for all seeds: what differs between them is the search.
  const chosen = stratified(all, Number(flags.trusted), Random.fromSeed(0).fork("trusted"));
  const context = { device, random, emit: silent };
  const { file, classifier } = opened;
  const subject = { file, model: classifier, trusted: subset(all, chosen) };
  const { model, tuning } = await prepare(context, subject, 0.2);
  const families = {};
  for (const family of DEFAULT_EFFORT.families) {
    families[family] = await sizesOf(context, model, tuning, family);
  }
  return families;
}

/** Size of the smallest trigger of every class so far, after every `every` steps; null where none has worked. */
async function sizesOf(context, model, images, family) {
  const { success } = DEFAULT_EFFORT;
  const notes = [];
  const plan = searchPlan(family, images, DEFAULT_EFFORT, (pace) =>
    noting(smallest(success, pace)),
  );
  const targets = Array.from({ length: model.classes }, (_, c) => c);
  await invertTriggers(context, { suspect: model }, images, targets, plan);
  return notes;

  function noting(control) {
    return {
      ...control,
      adaptation() {
        const adapt = control.adaptation();
        const own = [];
        notes.push(own);
        let [step, least] = [0, null];
        return (weight, seen) => {
          // The first quarter is not looked at: `invertTriggers` keeps nothing of it.
          if (step > DEFAULT_EFFORT.steps / 4 && control.merit(seen) !== undefined) {
            least = Math.min(least ?? Number.POSITIVE_INFINITY, seen.size);
          }
          step++;
          if (step % every === 0) own.push(least);
          return adapt(weight, seen);
        };
      },
    };
  }
}
