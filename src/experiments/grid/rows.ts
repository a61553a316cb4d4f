import { gameValue } from "../../games/metrics.ts";
import type { Snapshot } from "./snapshot.ts";
import { type ModelTrial, methodOf, type TrialConfig } from "./trial.ts";
import { leadingOf, type TrialRecord } from "./trial-record.ts";

/** A cell of a table; null where it does not apply. */
export type Cell = string | number | boolean | null;

/**
 * A trial as a row: the same columns for every kind, shares in [0,1]. Curves, intervals of single classes and options
 * are in the record.
 */
export type Row = Readonly<Record<(typeof COLUMNS)[number]["name"], Cell>>;

interface Column {
  readonly name: string;
  readonly type: "STRING" | "DOUBLE" | "INT32" | "BOOLEAN";
  readonly description: string;
}

/** Columns of exports, in order. `test_acc` and `test_asr` are named as in BackdoorBench. */
export const COLUMNS = [
  { name: "key", type: "STRING", description: "key of the trial" },
  { name: "kind", type: "STRING", description: "model, repair or detection" },
  { name: "label", type: "STRING", description: "what it is, in words" },
  { name: "model", type: "STRING", description: "key of the model trial that it belongs to" },
  { name: "attack", type: "STRING", description: "attack; null for a clean model" },
  {
    name: "attack_options",
    type: "STRING",
    description: "options of the attack on the model, as JSON",
  },
  { name: "poisoned", type: "INT32", description: "number m of poisoned images" },
  { name: "boost", type: "INT32", description: "how often an epoch shows each of them (b)" },
  { name: "embed", type: "STRING", description: "before-augmentation or after-augmentation" },
  { name: "target", type: "INT32", description: "target class" },
  { name: "seed", type: "INT32", description: "seed" },
  { name: "width", type: "INT32", description: "channels of the network's first stage" },
  { name: "epochs", type: "INT32", description: "epochs of training" },
  { name: "sanitizer", type: "STRING", description: "defence before training" },
  { name: "trusted", type: "INT32", description: "number r of trusted images" },
  { name: "repair", type: "STRING", description: "repair" },
  { name: "deployment", type: "STRING", description: "defence at inference time" },
  { name: "deployment_options", type: "STRING", description: "its options, as JSON" },
  { name: "detector", type: "STRING", description: "detector" },
  {
    name: "options",
    type: "STRING",
    description: "options of the method that the trial is about, as JSON",
  },
  {
    name: "test_acc",
    type: "DOUBLE",
    description: "CDA: of the model, or of what a defender ships",
  },
  {
    name: "test_asr",
    type: "DOUBLE",
    description: "ASR: of the model, or of what a defender ships",
  },
  {
    name: "succ",
    type: "DOUBLE",
    description: "test_acc − test_asr, of which Succ is the mean over games",
  },
  { name: "before_acc", type: "DOUBLE", description: "CDA before the repair" },
  { name: "before_asr", type: "DOUBLE", description: "ASR before the repair" },
  { name: "oracle_acc", type: "DOUBLE", description: "CDA at the oracle stop" },
  { name: "oracle_asr", type: "DOUBLE", description: "ASR at the oracle stop" },
  {
    name: "claimed",
    type: "BOOLEAN",
    description: "whether the defender takes the shipped model to keep the allowed drop",
  },
  {
    name: "kept_drop",
    type: "BOOLEAN",
    description: "whether the shipped model keeps the allowed drop on test images",
  },
  { name: "score", type: "DOUBLE", description: "score of the detector" },
  { name: "leading_class", type: "INT32", description: "class that has this score" },
  {
    name: "fidelity_cosine",
    type: "DOUBLE",
    description: "cosine of the trigger found for the target class with the true one",
  },
  {
    name: "fidelity_iou",
    type: "DOUBLE",
    description: "of the pixels that either changes, those that both do",
  },
  {
    name: "fidelity_psnr",
    type: "DOUBLE",
    description: "of images with one to those with the other, dB",
  },
  { name: "removed", type: "INT32", description: "images that the sanitizer left out" },
  { name: "removed_poisoned", type: "INT32", description: "poisoned ones among them" },
  { name: "seconds", type: "DOUBLE", description: "time that the trial took" },
  { name: "antidote", type: "STRING", description: "version of Antidote" },
  { name: "build", type: "STRING", description: "digest of its code; null in older records" },
  { name: "onnxruntime", type: "STRING", description: "version of ONNX Runtime" },
  { name: "threads", type: "INT32", description: "threads that it was computed with" },
] as const satisfies readonly Column[];

/**
 * Every trial of a store as a row: models first, then what was tried on them. One whose model is unknown, since its record is
 * damaged and no experiment tells, is left out: nobody could say what it was tried on.
 */
export function rowsOf({
  records,
  labels,
  configs,
}: Pick<Snapshot, "records" | "labels" | "configs">): Row[] {
  const order = { model: 0, repair: 1, detection: 2 };
  return [...records.values()]
    .filter(({ config }) => config.kind === "model" || configs.has(config.model))
    .map((record) => rowOf(record, configs, labels.get(record.key) ?? null))
    .sort(
      (a, b) =>
        order[a.kind as keyof typeof order] - order[b.kind as keyof typeof order] ||
        String(a.label).localeCompare(String(b.label), "en", { numeric: true }),
    );
}

function rowOf(record: TrialRecord, configs: Snapshot["configs"], label: string | null): Row {
  const { key, config, duration, versions, hardware } = record;
  const model = config.kind === "model" ? config : modelOf(configs.get(config.model));
  const { kind, seed } = config;
  const stated = methodOf(config);
  return {
    ...{ key, kind, label, seed },
    model: config.kind === "model" ? key : config.model,
    attack: model?.attack?.name ?? null,
    attack_options: model?.attack ? JSON.stringify(model.attack.options) : null,
    poisoned: model?.poisoning?.samples ?? null,
    boost: model?.poisoning?.boost ?? null,
    embed: model?.poisoning?.embed ?? null,
    target: model?.target ?? null,
    width: model && "width" in model.network ? model.network.width : null,
    epochs: model?.training.epochs ?? null,
    sanitizer: model?.sanitizer?.name ?? null,
    trusted: config.kind === "model" ? null : config.trusted,
    repair: repairOf(config, configs),
    deployment: config.kind === "repair" ? (config.deployment?.name ?? null) : null,
    deployment_options:
      config.kind === "repair" && config.deployment
        ? JSON.stringify(config.deployment.options)
        : null,
    detector: config.kind === "detection" ? config.detector.name : null,
    options: stated ? JSON.stringify(stated.options) : null,
    ...measured(record),
    seconds: duration,
    antidote: versions.antidote,
    build: versions.build ?? null,
    onnxruntime: versions.onnxruntime,
    threads: hardware.threads,
  };
}

function modelOf(config: TrialConfig | undefined): ModelTrial | undefined {
  return config?.kind === "model" ? config : undefined;
}

/** The repair of a repair trial, or the one that a detection compares with. */
function repairOf(config: TrialRecord["config"], configs: Snapshot["configs"]): string | null {
  if (config.kind === "repair") return config.repair?.name ?? null;
  if (config.kind === "model" || config.repair === null) return null;
  const compared = configs.get(config.repair);
  return compared?.kind === "repair" ? (compared.repair?.name ?? null) : null;
}

type Measured = Pick<
  Row,
  | "test_acc"
  | "test_asr"
  | "succ"
  | "before_acc"
  | "before_asr"
  | "oracle_acc"
  | "oracle_asr"
  | "claimed"
  | "kept_drop"
  | "score"
  | "leading_class"
  | "fidelity_cosine"
  | "fidelity_iou"
  | "fidelity_psnr"
  | "removed"
  | "removed_poisoned"
>;

const NOTHING: Measured = {
  ...{ test_acc: null, test_asr: null, succ: null, before_acc: null, before_asr: null },
  ...{ oracle_acc: null, oracle_asr: null, claimed: null, kept_drop: null },
  ...{ score: null, leading_class: null },
  ...{ fidelity_cosine: null, fidelity_iou: null, fidelity_psnr: null },
  ...{ removed: null, removed_poisoned: null },
};

function measured({ outcome }: TrialRecord): Measured {
  switch (outcome.kind) {
    case "model":
      return {
        ...NOTHING,
        test_acc: outcome.accuracy.value,
        test_asr: outcome.attackSuccess?.value ?? null,
        succ: gameValue(outcome),
        removed: outcome.filtered?.removed ?? null,
        removed_poisoned: outcome.filtered?.removedPoisoned ?? null,
      };
    case "repair":
      return {
        ...NOTHING,
        test_acc: outcome.deployed.accuracy.value,
        test_asr: outcome.deployed.attackSuccess?.value ?? null,
        succ: gameValue(outcome.deployed),
        before_acc: outcome.before.accuracy.value,
        before_asr: outcome.before.attackSuccess?.value ?? null,
        oracle_acc: outcome.oracle.accuracy.value,
        oracle_asr: outcome.oracle.attackSuccess?.value ?? null,
        claimed: outcome.claimed,
        kept_drop: outcome.keptDrop,
      };
    case "detection":
      return {
        ...NOTHING,
        score: outcome.score,
        leading_class: leadingOf(outcome)?.target ?? null,
        fidelity_cosine: outcome.fidelity?.cosine ?? null,
        fidelity_iou: outcome.fidelity?.iou ?? null,
        fidelity_psnr: outcome.fidelity?.psnr ?? null,
      };
  }
}
