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
  stratified,
  subset,
} from "antidote";
import { conclude } from "../../dist/audit/conclude.js";
import { describeHardware, describeVersions } from "../../dist/audit/describe.js";
import { prepare } from "../../dist/audit/prepare.js";
import { silent } from "../../dist/core/progress.js";
import { flagsOf } from "../flags.mjs";
import { holds, runsIn, writeRecord } from "../record.mjs";
import { knownModels } from "./known-models.mjs";

const HELP = `node bench/detectors/run.mjs --detector NAME --out RECORD [options]

  --detector NAME   one that needs no repaired model
  --out FILE        the record; what it already holds is not run again
  --attacks FILE    record of bench/attacks (results/attacks.json)
  --options JSON    options of the detector that differ from its defaults
  --trusted N       trusted images, drawn from the training set (500)
  --seeds N         seeds 0 … N−1 (1)
  --only NAMES      models, with commas between (all)
  --threads N       threads to compute with (all processors)
`;
const { flags, data } = flagsOf(
  HELP,
  {
    detector: null,
    out: null,
    attacks: "results/attacks.json",
    options: "{}",
    trusted: "500",
    seeds: "1",
    only: null,
    threads: null,
  },
  ["detector", "out"],
);

const only = flags.only?.split(",");
const models = knownModels(flags.attacks, data).filter(({ name }) => !only || only.includes(name));
const detector = DETECTORS[flags.detector];
const options = detector.config.parse(JSON.parse(flags.options));
const runs = runsIn(flags.out);
const threads = flags.threads ? { threads: Number(flags.threads) } : {};
const device = await openDevice({ name: "cpu", ...threads });
for (const { name, path, truth } of models) {
  for (let seed = 0; seed < Number(flags.seeds); seed++) {
    const about = { model: name, detector: { name: flags.detector, options }, seed };
    if (holds(runs, about)) continue;
    const opened = await loadClassifier(path, { device });
    const all = await openImagesFor(opened, resolve(data, "cifar10"));
    const random = Random.fromSeed(seed);
    const trusted = subset(all, stratified(all, Number(flags.trusted), random.fork("trusted")));
    const context = { device, random, emit: silent };
    const { file, classifier: model } = opened;
    const started = performance.now();
    const prepared = await prepare(context, { file, model, trusted }, 0.2);
    const { tuning: search, heldOut } = prepared;
    const input = { model: prepared.model, repaired: prepared.model, search, heldOut };
    const { rule, classes, leading, verdict } = conclude([
      await detector.run(context, input, options),
    ]);
    const seconds = (performance.now() - started) / 1000;
    runs.push({
      ...about,
      truth,
      ...{ verdict, leading: leading.target, score: leading.score },
      classes: classes.map(({ score, strongest }) => ({ score, size: strongest.size })),
      ...{ thresholds: [rule.noEvidenceBelow, rule.backdooredFrom], seconds },
      ...{ hardware: describeHardware(device), versions: describeVersions() },
    });
    writeRecord(flags.out, { runs });
    process.stdout.write(
      `${name} seed ${seed}: ${verdict}, class ${leading.target} at ${leading.score.toFixed(2)} (truth: ${truth ?? "clean"}) ${seconds.toFixed(0)} s\n`,
    );
  }
}
await device.close();
