/**
 * Repairs the attacked models of `bench/attacks` with every repair, and measures each checkpoint on test images:
 * the oracle's choice (lowest success at a drop of at most Δ, judged on test data as the paper does) beside the
 * deployable one (what a defender ships, judged on held-out trusted images alone).
 *
 *     ANTIDOTE_DATA=... node bench/repairs/run.mjs --attacks results/attacks.json --out results/repairs.json
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import {
  ATTACKS,
  count,
  loadClassifier,
  openDevice,
  openImages,
  Random,
  REPAIRS,
  stratified,
  subset,
} from "antidote";
import { describeHardware, describeVersions } from "../../dist/audit/describe.js";
import { prepare } from "../../dist/audit/prepare.js";
import { repairModel } from "../../dist/audit/repair-model.js";
import { silent } from "../../dist/core/progress.js";
import { ascending } from "../../dist/data/images.js";
import { searchSuspected } from "../../dist/inversion/smallest.js";
import { Judge } from "../audits/judge.mjs";
import { flagsOf } from "../flags.mjs";
import { holds, runsIn, writeRecord } from "../record.mjs";

const HELP = `node bench/repairs/run.mjs --attacks RECORD --out RECORD [options]

  --attacks FILE   record of bench/attacks; the models lie beside it
  --out FILE       the record; what it already holds is not run again
  --repairs A,B    only these (all)
  --only A,B       only models with one of these in their names (all with a success of 0.2 and more)
  --options JSON   options of the repair that differ from its defaults
  --trusted N      trusted images, drawn from the training set (500)
  --test N         test images, the first ones (2000)
  --seeds N        seeds 0 … N−1: other trusted images, another repair (1)
  --threads N      threads to compute with (all processors)
`;

/** The allowed drop of accuracy. */
const DELTA = 0.02;
/** Success from which a model counts as backdoored. */
const BACKDOORED = 0.2;

const { flags, data } = flagsOf(
  HELP,
  {
    attacks: null,
    out: null,
    repairs: null,
    only: null,
    options: "{}",
    trusted: "500",
    test: "2000",
    seeds: "1",
    threads: null,
  },
  ["attacks", "out"],
);

const only = flags.only?.split(",");
const names = flags.repairs?.split(",") ?? Object.keys(REPAIRS);
const overrides = JSON.parse(flags.options);
const trusted = Number(flags.trusted);
const attacked = JSON.parse(readFileSync(flags.attacks, "utf8")).runs.filter(
  ({ model, attack, attackSuccess }) =>
    attack &&
    attackSuccess.value >= BACKDOORED &&
    (!only || only.some((part) => model.includes(part))),
);
const runs = runsIn(flags.out);
const cifar = resolve(data, "cifar10");
const shape = { channels: 3, height: 32, width: 32 };
const train = await openImages(cifar, shape);
const all = await openImages(cifar, { ...shape, split: "test" });
const test = subset(all, ascending(Math.min(Number(flags.test), count(all))));
const { target } = JSON.parse(
  readFileSync(new URL("../attacks/manifest.json", import.meta.url), "utf8"),
);
const threads = flags.threads ? { threads: Number(flags.threads) } : {};
const device = await openDevice({ name: "cpu", ...threads });

for (const { model: file, attack, embed, config } of attacked) {
  const path = resolve(dirname(flags.attacks), file);
  const { file: read, classifier } = await loadClassifier(path, { device });
  const judge = await judgeOf(attack, config.seed);
  for (let seed = 0; seed < Number(flags.seeds); seed++) {
    for (const name of names) {
      const method = REPAIRS[name];
      const options = method.config.parse(overrides);
      const about = { model: file, repair: { name, options }, trusted, seed };
      if (holds(runs, about)) continue;
      const measured = await repairOnce({ file: read, model: classifier }, judge, about, method);
      const hardware = describeHardware(device);
      const { name: attackName } = attack;
      const versions = describeVersions();
      runs.push({ ...about, attack: attackName, embed, ...measured, hardware, versions });
      writeRecord(flags.out, { judgedOn: count(test), allowedDrop: DELTA, runs });
      const { before, oracle, deployable } = measured;
      const said = ({ accuracy, attackSuccess }) =>
        `${(100 * accuracy.value).toFixed(1)}/${(100 * attackSuccess.value).toFixed(1)}`;
      process.stdout.write(
        `${attackName} ${name} seed ${seed}: ${said(before)} → oracle ${oracle ? said(oracle) : "-"}, deployable ${said(deployable)}\n`,
      );
    }
  }
  await judge.release();
}
await device.close();

/** A judge that knows the trigger of an attack. */
async function judgeOf({ name, options }, seed) {
  const known = name === "pcb" ? ATTACKS.adv : ATTACKS[name];
  const needed = known.needs?.(known.config.parse({})) ?? [];
  const kept = resolve(dirname(flags.attacks), "models", `surrogate-s${seed}.onnx`);
  const found =
    needed.includes("surrogate") && existsSync(kept)
      ? (await loadClassifier(kept, { device })).classifier
      : undefined;
  const context = { device, random: Random.fromSeed(seed), emit: silent };
  const input = { geometry: shape, classes: test.classNames.length, target, surrogate: found };
  const chosen = known.config.parse(name === "pcb" ? {} : options);
  const trigger = await known.run(context, input, chosen);
  const judge = new Judge(device, test, { target, stamp: trigger.stampTest });
  judge.release = () => trigger.release?.();
  return judge;
}

async function repairOnce({ file, model }, judge, { repair: { options }, seed }, method) {
  const random = Random.fromSeed(seed);
  const context = { device, random, emit: silent };
  const drawn = subset(train, stratified(train, trusted, random.fork("trusted")));
  const started = performance.now();
  const prepared = await prepare(context, { file, model, trusted: drawn }, 0.2);
  const triggers = method.takesTriggers
    ? await searchSuspected(context, prepared.model, prepared.tuning)
    : [];
  const configured = { method, config: options };
  const measured = [];
  const outcome = await repairModel(
    context,
    prepared,
    triggers,
    configured,
    DELTA,
    async (model) => void measured.push(await judge.measure(model)),
  );
  const seconds = (performance.now() - started) / 1000;
  const before = await judge.measure(prepared.model);
  const curve = outcome.checkpoints.map(({ step }, at) => ({ step, ...measured[at] }));
  const keeping = [{ step: 0, ...before }, ...curve].filter(
    ({ accuracy }) => accuracy.value >= before.accuracy.value - DELTA,
  );
  const least = Math.min(...keeping.map(({ attackSuccess }) => attackSuccess.value));
  const oracle = keeping.find(({ attackSuccess }) => attackSuccess.value === least);
  const shipped = curve.find(({ step }) => step === outcome.chosen.step);
  const deployable = shipped ?? { step: 0, ...before };
  return { before, oracle, deployable, deployableClaimed: outcome.deployable, curve, seconds };
}
