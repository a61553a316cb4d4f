import { proportion } from "../../../src/core/statistics.ts";
import { digestOf } from "../../../src/data/digest.ts";
import { type Experiment, experimentFrom } from "../../../src/experiments/grid/experiment-file.ts";
import type { Images } from "../../../src/experiments/grid/materials.ts";
import { ResultStore } from "../../../src/experiments/grid/store.ts";
import {
  type DetectionTrial,
  keyOf,
  type ModelTrial,
  modelTrial,
  type RepairTrial,
  type TrialConfig,
} from "../../../src/experiments/grid/trial.ts";
import {
  type Outcome,
  TRIAL_SCHEMA_VERSION,
  type TrialRecord,
} from "../../../src/experiments/grid/trial-record.ts";
import { folderWith } from "../../data/temporary.ts";
import { noise } from "../../support/networks.ts";

const inTurn = (total: number) => noise(Array.from({ length: total }, (_, i) => i % 5));

/** 200 training and 50 test images of five classes. */
export const IMAGES: Images = (() => {
  const [train, test] = [inTurn(200), inTurn(50)];
  const [own, judging] = [digestOf(train), digestOf(test)];
  return { train, test, pool: train, digests: { train: own, test: judging, pool: own } };
})();

/** An experiment as its file would state it. */
export function experimentOf(given: object): Experiment {
  return experimentFrom({ data: "procedural", ...given }, "grid", () => "grid.yaml");
}

export const MODEL: ModelTrial = modelTrial.parse({
  kind: "model",
  data: { train: "1".repeat(64), test: "2".repeat(64) },
  network: { width: 4 },
  training: { epochs: 2, padding: 1 },
  attack: { name: "badnets", options: { size: 3 } },
  target: 1,
  poisoning: { samples: 20, boost: 2, embed: "after-augmentation" },
  surrogate: null,
  sanitizer: null,
  unsanitized: null,
  seed: 3,
});

export const CLEAN: ModelTrial = { ...MODEL, attack: null, target: null, poisoning: null };

export const REPAIR: RepairTrial = {
  ...{
    kind: "repair",
    model: keyOf(MODEL),
    trusted: 40,
    pool: "1".repeat(64),
    allowedDrop: 0.02,
    heldOut: 0.25,
    seed: 3,
  },
  repair: { name: "weight-decay", options: { steps: 7 } },
  deployment: null,
};

export const DETECTION: DetectionTrial = {
  ...{
    kind: "detection",
    model: keyOf(MODEL),
    trusted: 40,
    pool: "1".repeat(64),
    heldOut: 0.25,
    seed: 3,
  },
  detector: { name: "neural-cleanse", options: { steps: 5 } },
  repair: keyOf(REPAIR),
};

const judged = (accuracy: number, success: number) => ({
  accuracy: proportion(accuracy, 50),
  attackSuccess: proportion(success, 40),
});

const AFTER = {
  ...{ step: 50, loss: 0.5, ...judged(44, 4) },
  estimatedDrop: { value: 0.02, low: -0.02, high: 0.06 },
};

/** Evidence for a class. */
const evidence = (target: number, score: number) => ({
  ...{ target, score, found: true, size: 2, kept: proportion(30, 40) },
  success: { suspect: proportion(38, 40), repaired: proportion(4, 40) },
});

const OUTCOMES: Readonly<Record<TrialConfig["kind"], Outcome>> = {
  model: { kind: "model", ...judged(45, 38), marked: 20, filtered: null },
  repair: {
    ...{ kind: "repair", before: judged(45, 38) },
    curve: [{ step: 0, loss: null, estimatedDrop: null, ...judged(45, 38) }, AFTER],
    oracle: AFTER,
    deployable: AFTER,
    deployed: judged(43, 4),
    ...{ claimed: true, keptDrop: false, stopped: null },
  },
  detection: {
    ...{
      kind: "detection",
      statistic: "size-gap",
      score: 1.75,
      classes: [evidence(1, 0.5), evidence(2, 1.75)],
    },
    fidelity: { cosine: 0.5, iou: 0.25, psnr: 20 },
  },
};

/** The record of a trial that was never run. */
export function recordOf(
  config: TrialConfig,
  outcome: Outcome = OUTCOMES[config.kind],
): TrialRecord {
  const key = keyOf(config);
  return {
    ...{ schemaVersion: TRIAL_SCHEMA_VERSION, document: "trial", key, config, outcome },
    model: config.kind === "detection" ? null : `models/${key}.onnx`,
    trigger: config.kind === "detection" ? `triggers/${key}.png` : null,
    versions: { antidote: "0.0.0", onnxruntime: "1.30.0", node: "20.20.0" },
    hardware: { cpu: "a cpu", cores: 2, platform: "linux-x64", device: "cpu", threads: 1 },
    ...{ startedAt: "2026-01-02T03:04:05.678Z", duration: 12.5, peakMemory: 1e6 },
    stages: [{ name: "training", seconds: 12 }],
  } as TrialRecord;
}

/** An empty store in a folder of its own. */
export async function emptyStore(): Promise<ResultStore> {
  return ResultStore.open(await folderWith({}));
}
