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
import { flagsOf } from "../flags.mjs";
import { antidote } from "../program.mjs";
import { runsIn, writeRecord } from "../record.mjs";

const HELP = `node bench/attacks/run.mjs --models DIR --out RECORD [options]

  --models DIR   where trainings work, and continue where they were stopped
  --out FILE     the record; what it already holds is not run again. Models go beside it, into models/
  --attacks A,B  only these; clean for the model without one
  --embed E      before-augmentation, after-augmentation or both (both)
  --width N      channels of the first stage (12)
  --epochs N     epochs (6)
  --seed N       seed (0)
  --boost N      how often an epoch shows every poisoned image (1). 20 in 6 epochs is as often as the
                 paper's 120 epochs show it
  --surrogate FILE                  ONNX classifier on which adversarial triggers are found (a small network for the
                                    same classes, trained once and kept in models/)
  --surrogate-preprocessing CHOICE  what it expects (none)
  --surrogate-class K               its class that triggers lead to (the one after the target)
  --threads N    threads to compute with (all processors). Two series with one thread each take less time than
                 one after the other with two
`;
const MANIFEST = new URL("manifest.json", import.meta.url);
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
    boost: "1",
    surrogate: null,
    "surrogate-preprocessing": "none",
    "surrogate-class": null,
    threads: String(availableParallelism()),
  },
  ["models", "out"],
);

const { target: aimedAt, runs: planned } = JSON.parse(readFileSync(MANIFEST, "utf8"));
const target = String(aimedAt);
const only = flags.attacks?.split(",");
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
    const is = (run) =>
      (run.attack?.name ?? null) === attack &&
      run.embed === embed &&
      run.boost === boost &&
      run.surrogate === surrogate &&
      same(run.config);
    if (runsIn(flags.out).some(is)) continue;
    const run = { ...runOne(attack, embed, paper), surrogate };
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

function needsSurrogate(attack) {
  return attack === "adv" || attack === "pcb";
}

function runOne(attack, embed, paper) {
  const { width, epochs, seed } = flags;
  const boosted = embed && flags.boost !== "1" && `b${flags.boost}`;
  const on = needsSurrogate(attack) && flags.surrogate && basename(flags.surrogate, ".onnx");
  const parts = [attack ?? "clean", on, embed, boosted, `w${width}`, `e${epochs}`, `s${seed}`];
  const name = parts.filter(Boolean).join("-");
  const folder = resolve(flags.models, name);
  const kept = (file) => resolve(dirname(flags.out), "models", file);
  mkdirSync(kept("."), { recursive: true });
  // One surrogate serves all attacks that need one.
  const shared = flags.surrogate ?? kept(`surrogate-s${seed}.onnx`);
  const used = [
    "--surrogate",
    shared,
    "--surrogate-preprocessing",
    flags["surrogate-preprocessing"],
  ];
  const surrogate = needsSurrogate(attack) && existsSync(shared) ? used : [];
  const towards = flags["surrogate-class"];
  const options = towards ? ["--attack.surrogate-class", towards] : [];
  const amount = embed ? ["--preset", "cifar10", "--embed", embed, "--boost", flags.boost] : [];
  const common = ["--seed", seed, "--threads", flags.threads];
  const recipe = ["--width", width, "--epochs", epochs, ...common, "--storage", "float16"];
  const trigger = attack ? ["--target", target, ...(needsSurrogate(attack) ? options : [])] : [];
  const aim = attack ? ["--attack", attack, ...trigger, ...amount, ...surrogate] : [];
  const trained = antidote("train", "--data", cifar, ...recipe, ...aim, "--out", folder);
  if (needsSurrogate(attack) && surrogate.length === 0) {
    copyFileSync(join(folder, "surrogate.onnx"), shared);
  }
  const known = attack ? ["--attack", attack === "pcb" ? "adv" : attack] : [];
  const found = needsSurrogate(attack) ? used : [];
  const images = ["--images", test, ...common];
  const judged = antidote("evaluate", trained.model, ...images, ...known, ...trigger, ...found);
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
