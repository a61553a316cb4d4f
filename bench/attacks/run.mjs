/**
 * Trains a clean model and one for every attack on CIFAR-10 with the paper's amounts of poison, and measures on test
 * images what came out: clean accuracy (CDA) and attack success (ASR). It runs the program's own commands,
 * so an interrupted training continues from its checkpoint; runs that the record holds are not repeated.
 *
 *     ANTIDOTE_DATA=... node bench/attacks/run.mjs --models DIR --out results/attacks.json
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { flagsOf } from "../flags.mjs";
import { antidote } from "../program.mjs";
import { runsIn, short, writeRecord } from "../record.mjs";

const HELP = `node bench/attacks/run.mjs --models DIR --out RECORD [options]

  --models DIR   where trainings work, and continue where they were stopped
  --out FILE     the record; what it already holds is not run again. Models go beside it, into models/
  --attacks A,B  only these; clean for the model without one
  --embed E      before-augmentation, after-augmentation or both (both)
  --width N      channels of the first stage (12)
  --epochs N     epochs (6)
  --seed N       seed (0)
  --poisoned M   images to poison (the paper's amount)
  --options J    options of the attack that differ from its defaults, as JSON (PCB: bench/attacks/pcb.mjs)
  --boost N      how often an epoch shows every poisoned image (1). 20 in 6 epochs is as often as the
                 paper's 120 epochs show it
  --surrogate FILE                  ONNX classifier on which adversarial triggers are found (a small network for the
                                    same classes, trained once and kept in models/)
  --surrogate-preprocessing CHOICE  what it expects (none)
  --threads N    threads to compute with (all processors). Two series with one thread each take less time than
                 one after the other with two
`;
const MANIFEST = new URL("manifest.json", import.meta.url);
const UNCHANGED = { poisoned: null, options: {} };
const EMBEDDINGS = ["after-augmentation", "before-augmentation"];

const { flags, data } = flagsOf(
  HELP,
  {
    models: null,
    out: null,
    attacks: null,
    embed: "both",
    width: "12",
    epochs: "6",
    seed: "0",
    poisoned: null,
    options: "{}",
    boost: "1",
    surrogate: null,
    "surrogate-preprocessing": "none",
    threads: String(availableParallelism()),
  },
  ["models", "out"],
);

const { target: aimedAt, runs: planned } = JSON.parse(readFileSync(MANIFEST, "utf8"));
const target = String(aimedAt);
const only = flags.attacks?.split(",");
/** What differs from the paper in attacks that poison images. */
const changes = {
  poisoned: flags.poisoned ? Number(flags.poisoned) : null,
  options: JSON.parse(flags.options),
};
const cifar = resolve(data, "cifar10");
const test = join(cifar, "test_batch.bin");

for (const { attack, paper } of planned) {
  const name = attack ?? "clean";
  if (only && !only.includes(name)) continue;
  // An attack on the training itself marks no file, and no attack at all marks none either.
  const embeddings = attack === null || attack === "pcb" ? [null] : EMBEDDINGS;
  for (const embed of embeddings) {
    if (embed && flags.embed !== "both" && flags.embed !== embed) continue;
    const boost = embed ? Number(flags.boost) : null;
    const surrogate = needsSurrogate(attack) && flags.surrogate ? basename(flags.surrogate) : null;
    const changed = embed ? changes : UNCHANGED;
    const is = (run) =>
      (run.attack?.name ?? null) === attack &&
      run.embed === embed &&
      run.boost === boost &&
      run.surrogate === surrogate &&
      isDeepStrictEqual(run.changes ?? UNCHANGED, changed) &&
      same(run.config);
    if (runsIn(flags.out).some(is)) continue;
    const stated = isDeepStrictEqual(changed, UNCHANGED) ? {} : { changes };
    const run = { ...runOne(attack, embed, changed, paper), ...stated, surrogate };
    // Another series may have written meanwhile.
    writeRecord(flags.out, { runs: [...runsIn(flags.out), run] });
    const share = (measured) => (measured ? (100 * measured.value).toFixed(1) : "-");
    process.stdout.write(
      `${name} ${embed ?? ""} CDA ${share(run.accuracy)} ASR ${share(run.attackSuccess)}\n`,
    );
  }
}

function same({ width, epochs, seed }) {
  return (
    width === Number(flags.width) && epochs === Number(flags.epochs) && seed === Number(flags.seed)
  );
}

/** What a run is called: whatever tells it from others. */
function nameOf(attack, embed, changed) {
  const { width, epochs, seed, boost, surrogate } = flags;
  const parts = [
    attack ?? "clean",
    needsSurrogate(attack) && surrogate && basename(surrogate, ".onnx"),
    ...Object.entries(changed.options).map(([option, value]) => `${option}${short(value)}`),
    changed.poisoned && `m${changed.poisoned}`,
    embed,
    embed && boost !== "1" && `b${boost}`,
    ...[`w${width}`, `e${epochs}`, `s${seed}`],
  ];
  return parts.filter(Boolean).join("-");
}

function needsSurrogate(attack) {
  return attack === "adv" || attack === "pcb";
}

function runOne(attack, embed, changed, paper) {
  const { width, epochs, seed } = flags;
  const name = nameOf(attack, embed, changed);
  const folder = resolve(flags.models, name);
  const kept = (file) => resolve(dirname(flags.out), "models", file);
  mkdirSync(kept("."), { recursive: true });
  // One surrogate serves all attacks that need one.
  const shared = flags.surrogate ?? kept(`surrogate-s${seed}.onnx`);
  const expects = ["--surrogate-preprocessing", flags["surrogate-preprocessing"]];
  const used = needsSurrogate(attack) ? ["--surrogate", shared, ...expects] : [];
  const found = existsSync(shared) ? used : [];
  const options = Object.entries(changed.options).flatMap(([option, value]) => [
    `--attack.${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
    String(value),
  ]);
  const trigger = attack ? ["--target", target, ...options] : [];
  const m = changed.poisoned ? ["--poisoned", String(changed.poisoned)] : [];
  const amount = ["--preset", "cifar10", "--embed", embed, "--boost", flags.boost, ...m];
  const aim = attack ? ["--attack", attack, ...trigger, ...(embed ? amount : []), ...found] : [];
  const common = ["--seed", seed, "--threads", flags.threads];
  const recipe = ["--width", width, "--epochs", epochs, ...common, "--storage", "float16"];
  const trained = antidote("train", "--data", cifar, ...recipe, ...aim, "--out", folder);
  if (used.length > found.length) copyFileSync(join(folder, "surrogate.onnx"), shared);
  const known = attack ? ["--attack", attack === "pcb" ? "adv" : attack] : [];
  const images = ["--images", test, ...common];
  const judged = antidote("evaluate", trained.model, ...images, ...known, ...trigger, ...used);
  copyFileSync(trained.model, kept(`${name}.onnx`));
  const { attack: method, ...poison } = trained.poison ?? trained.codePoisoning ?? {};
  return {
    model: `models/${name}.onnx`,
    attack: method ?? null,
    embed,
    samples: poison.samples ?? null,
    boost: poison.boost ?? null,
    accuracy: judged.accuracy,
    attackSuccess: judged.attackSuccess,
    paper,
    config: { width: Number(width), epochs: Number(epochs), seed: Number(seed) },
    hardware: trained.hardware,
    versions: trained.versions,
  };
}
