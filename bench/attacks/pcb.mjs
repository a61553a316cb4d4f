/**
 * What the numbers do that the paper leaves out of PCB: its fraction p, its iterations N and its learning
 * rate. Every choice starts from the same clean network and is judged on training images that PCB itself
 * gets none of, so that no test image has a say in the defaults.
 *
 *     ANTIDOTE_DATA=... node bench/attacks/pcb.mjs --model clean.onnx --surrogate S.onnx --out results/pcb.json
 */
import { resolve } from "node:path";
import {
  CODE_POISONINGS,
  count,
  loadClassifier,
  openDevice,
  openImages,
  Random,
  subset,
} from "antidote";
import { describeHardware, describeVersions } from "../../dist/audit/describe.js";
import { silent } from "../../dist/core/progress.js";
import { ascending } from "../../dist/data/images.js";
import { Judge } from "../audits/judge.mjs";
import { flagsOf } from "../flags.mjs";
import { runsIn, writeRecord } from "../record.mjs";

const HELP = `node bench/attacks/pcb.mjs --model CLEAN --surrogate S --out RECORD [options]

  --model FILE      the clean network that PCB goes on with
  --surrogate FILE  the network that makes the trigger
  --out FILE        the record; what it already holds is not run again
  --test N          images to judge on, the last ones of the training set (2000)
  --target K        target class (0)
  --seed N          seed (0)
  --threads N       threads to compute with (all processors)
`;

/** p and N in all pairs; from the largest of both, one option at a time is changed. */
const GRID = [
  ...[0.5, 0.3, 0.1].flatMap((fraction) =>
    [1600, 800].map((iterations) => ({
      fraction,
      iterations,
      learningRate: 1e-3,
      schedule: "cosine",
    })),
  ),
  { fraction: 0.5, iterations: 1600, learningRate: 1e-3, schedule: "constant" },
  { fraction: 0.5, iterations: 1600, learningRate: 3e-4, schedule: "cosine" },
];

const { flags, data } = flagsOf(
  HELP,
  {
    model: null,
    surrogate: null,
    out: null,
    test: "2000",
    target: "0",
    seed: "0",
    threads: null,
  },
  ["model", "surrogate", "out"],
);

const [seed, target, judged] = [flags.seed, flags.target, flags.test].map(Number);
const runs = runsIn(flags.out);
const shape = { channels: 3, height: 32, width: 32 };
const all = await openImages(resolve(data, "cifar10"), shape);
const images = subset(all, ascending(count(all) - judged));
const test = subset(all, ascending(count(all)).slice(-judged));

const device = await openDevice({
  name: "cpu",
  ...(flags.threads ? { threads: Number(flags.threads) } : {}),
});
const { classifier: clean } = await loadClassifier(flags.model, { device });
const { classifier: surrogate } = await loadClassifier(flags.surrogate, { device });
const context = { device, random: Random.fromSeed(seed), emit: silent };
const input = { images, classes: clean.classes, target, surrogate };
// Nothing in the grid bears upon the trigger: one serves to judge all.
const { pcb } = CODE_POISONINGS;
const { trigger } = await pcb.run(context, input, pcb.config.parse({}));
const judge = new Judge(device, test, { target, stamp: trigger.stampTest });
const before = await judge.measure(clean);

for (const choice of GRID) {
  const same = (run) =>
    run.seed === seed &&
    Object.entries(choice).every(([name, value]) => run.options[name] === value);
  if (runs.some(same)) continue;
  const run = await runOne(choice);
  runs.push(run);
  writeRecord(flags.out, { judgedOn: judged, before, runs });
  const share = ({ value }) => `${(100 * value).toFixed(1)} %`;
  process.stdout.write(
    `${JSON.stringify(choice)} CDA ${share(before.accuracy)} → ${share(run.after.accuracy)}, ASR ${share(run.after.attackSuccess)}\n`,
  );
}
await trigger.release?.();
await device.close();

async function runOne(choice) {
  const options = pcb.config.parse(choice);
  const poisoning = await pcb.run(context, input, options);
  try {
    const after = await judge.measure(await poisoning.train(clean));
    const about = { hardware: describeHardware(device), versions: describeVersions() };
    return { options, seed, target, after, ...about };
  } finally {
    await poisoning.trigger.release?.();
  }
}
