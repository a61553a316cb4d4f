/**
 * What screening is worth on a network of 1000 classes: SqueezeNet 1.1 as it is, and with backdoors that are planted
 * here by tuning it on poisoned images. For each: the rank of the true target among all classes, and, where asked, what
 * a screened search and a full search of ten classes of the same network cost and find.
 *
 *     npm run build && ANTIDOTE_DATA=... node bench/screening/run.mjs --models DIR --out results/screening.json
 */
import { openDevice, Random, subset } from "antidote";
import { describeHardware, describeVersions } from "../../dist/audit/describe.js";
import { silent } from "../../dist/core/progress.js";
import { screenClasses } from "../../dist/inversion/screen-classes.js";
import { searchSmallestTriggers, suspected } from "../../dist/inversion/smallest.js";
import { flagsOf } from "../flags.mjs";
import { holds, runsIn, writeRecord } from "../record.mjs";
import { CLASSES, openModels, TEN, upTo } from "./models.mjs";

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

const device = await openDevice({ name: "cpu", threads: Number(flags.threads) });
const { models, defender, open } = await openModels(device, data, {
  ...{ folder: flags.models, only: flags.only },
});

const runs = runsIn(flags.out);
for (const one of models) {
  const { name, trigger, target } = one;
  const plan = {
    families: flags.families.split(","),
    survivors: Number(flags.survivors),
    controls: Number(flags.controls),
    effort: { steps: Number(flags.steps), images: Number(flags.images) },
  };
  const seed = Number(flags.seed);
  const about = { model: name, trusted: Number(flags.trusted), plan, seed, searched: flags.search };
  if (holds(runs, about)) continue;
  const { facts, model } = await open(one);
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
