import { Random } from "../../src/core/random.ts";
import { proportion } from "../../src/core/statistics.ts";
import { VERSION } from "../../src/core/version.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { encodePng } from "../../src/data/png.ts";
import { expand, type Planned } from "../../src/experiments/grid/expand.ts";
import { experimentFrom } from "../../src/experiments/grid/experiment-file.ts";
import type { Images } from "../../src/experiments/grid/materials.ts";
import { keepPlan } from "../../src/experiments/grid/plans.ts";
import { ResultStore } from "../../src/experiments/grid/store.ts";
import type { ModelTrial, TrialConfig } from "../../src/experiments/grid/trial.ts";
import type { Outcome, TrialRecord } from "../../src/experiments/grid/trial-record.ts";
import type { Artefact } from "../../src/experiments/reproduce/artefact.ts";
import { type Scale, scaleNamed } from "../../src/experiments/reproduce/scales.ts";

/*
 * Result stores without a computation: the trials of real experiments with outcomes that were made up. What is made
 * up follows from the config alone, so that tables and figures are the same on every machine.
 */

const tiny = scaleNamed("tiny");

const AMOUNT = { poisoned: 50 };

/** The tiny scale with more points, several models per point, and amounts of poison of its own. */
export const MADE_SCALE: Scale = {
  ...tiny,
  base: { ...tiny.base, count: 1000 },
  poison: Object.fromEntries(
    Object.entries(tiny.poison).map(([name, poison]) => [name, name === "pcb" ? poison : AMOUNT]),
  ),
  models: { perAmount: 3, perAttack: 3, clean: 4 },
  amounts: { badnets: [5, 10, 20, 50], "c-badnets": [25, 75] },
  shares: [0.05, 0.1, 0.2],
};

/** As many images as a scale has, blank and of 16×16: plans count and measure them, and no trial sees them. */
function imagesOf({ base }: Scale): Images {
  const blank = (count: number): ImageSet => ({
    ...{ images: new Uint8Array(256 * count), channels: 1, height: 16, width: 16 },
    labels: Int32Array.from({ length: count }, (_, at) => at % 10),
    classNames: Array.from({ length: 10 }, (_, at) => String(at)),
  });
  const train = blank(base.data === "procedural" ? base.count! : 50_000);
  return {
    ...{ train, pool: train, test: blank(base.testImages!) },
    digests: { train: "a".repeat(64), test: "b".repeat(64), pool: "a".repeat(64) },
  };
}

/** The trials of an artefact's experiments, one list for each. */
export function plannedFor(artefact: Artefact, scale: Scale = MADE_SCALE): Planned[][] {
  const images = imagesOf(scale);
  return artefact.experiments(scale).map((input) =>
    expand(
      experimentFrom(input, String(input.name), () => artefact.name),
      images,
    ),
  );
}

/**
 * A store in which every experiment of these artefacts has been run.
 * @param wanted which trials are done; all by default
 */
export async function madeStore(
  folder: string,
  artefacts: readonly Artefact[],
  wanted: (planned: Planned) => boolean = () => true,
): Promise<ResultStore> {
  const store = await ResultStore.open(folder);
  for (const artefact of artefacts) {
    for (const [at, planned] of plannedFor(artefact).entries()) {
      const name = String(artefact.experiments(MADE_SCALE)[at]!.name);
      const trials = planned.map(({ family: _, ...trial }) => trial);
      await keepPlan(store, { experiment: { name }, trials });
      const configs = new Map(planned.map(({ key, config }) => [key, config]));
      for (const trial of planned.filter(wanted)) {
        const outcome = madeOutcome(trial.config, configs);
        const trigger = trial.config.kind === "detection" ? await madeTrigger(trial.key) : null;
        const path = trigger && (await store.keepTrigger(trial.key, trigger));
        await store.add({ ...madeRecord(trial, outcome), trigger: path });
      }
    }
  }
  return store;
}

/** A record around an outcome. */
export function madeRecord(
  { key, config }: { readonly key: string; readonly config: TrialConfig },
  outcome: Outcome,
): TrialRecord {
  return {
    ...{ schemaVersion: 2, document: "trial", key, config, outcome, model: null, trigger: null },
    versions: { antidote: VERSION, onnxruntime: "1.30.0", node: "20.20.2" },
    hardware: { cpu: "made up", cores: 2, platform: "linux-x64", device: "cpu", threads: 1 },
    startedAt: "2026-01-01T00:00:00.000Z",
    duration: 60,
    stages: [{ name: "training", seconds: 60 }],
    peakMemory: 5e8,
  } as TrialRecord;
}

/** How robust and how visible attacks are in these stores. */
const CHARACTER: Readonly<Record<string, readonly [robust: number, visible: number]>> = {
  badnets: [0.1, 0.9],
  "c-badnets": [0.15, 0.6],
  "adaptive-blend": [0.2, 0.4],
  "adaptive-patch": [0.08, 0.7],
  refool: [0.25, 0.3],
  adv: [0.3, 0.35],
  wanet: [0.05, 0.2],
  tsb: [0.4, 0.3],
  pcb: [0.75, 0.25],
};

const share = (value: number, count = 200) =>
  proportion(Math.round(Math.min(1, Math.max(0, value)) * count), count);

export function madeOutcome(
  config: TrialConfig,
  configs: ReadonlyMap<string, TrialConfig>,
): Outcome {
  const suspect = (config.kind === "model" ? config : configs.get(config.model)) as ModelTrial;
  const attack = suspect.attack?.name ?? null;
  const m = suspect.poisoning?.samples ?? 50;
  const [robust, visible] = CHARACTER[attack ?? ""] ?? [0, 0];
  const width = "width" in suspect.network ? suspect.network.width : 0;
  const drawn = Random.fromSeed(suspect.seed).fork(`${attack}/${m}/${width}`);
  const noise = (name: string, size: number) => drawn.fork(name).uniform(-size, size);
  const strength = Math.min(1, Math.log10(1 + m) / Math.log10(60));
  const judged = (accuracy: number, success: number) => ({
    accuracy: share(accuracy, 1000),
    attackSuccess: attack === null ? null : share(success, 900),
  });
  const before = judged(0.95 + noise("accuracy", 0.004), strength + noise("success", 0.05));
  switch (config.kind) {
    case "model":
      return { kind: "model", ...before, marked: attack === null ? 0 : m, filtered: null };
    case "repair": {
      const name = config.repair?.name ?? "";
      const weak = name === "pivotal-tuning" ? 1 : name === "weight-decay" ? 1.6 : 3;
      const left = Math.min(
        0.98,
        (weak * robust * strength * (1 + noise("left", 0.4))) / (0.5 + config.trusted / 200),
      );
      const estimatedDrop = { value: 0.01, low: -0.02, high: 0.04 };
      const curve = [0, 20, 40, 60].map((step) => {
        const done = step / 60;
        const success = strength * (1 - done) ** 3 + left * (1 - (1 - done) ** 3);
        const point = judged(
          0.95 - 0.012 * Math.sqrt(done) + noise(`curve/${step}`, 0.003),
          success,
        );
        return step === 0
          ? { step, loss: null, estimatedDrop: null, ...before }
          : { step, loss: 2 - done, estimatedDrop, ...point };
      });
      const [deployable, oracle] = [curve[2]!, curve[3]!];
      const { accuracy, attackSuccess } = deployable;
      const deployed = { accuracy, attackSuccess };
      return {
        ...{ kind: "repair", before, curve, oracle, deployable, deployed },
        ...{ claimed: true, keptDrop: true, stopped: null },
      };
    }
    case "detection": {
      const cleanse = config.detector.name === "neural-cleanse";
      const classes = Array.from({ length: 10 }, (_, target) => {
        const hit = target === suspect.target ? visible * strength : 0;
        const score = 0.3 + 0.35 * hit + noise(`${config.detector.name}/${target}`, 0.2);
        const success = { suspect: share(0.3 + hit, 100), repaired: share(0.2, 100) };
        const found = { found: true, size: cleanse ? 40 * (1.4 - score) : 2, success };
        return { target, score, ...found, kept: share(0.8, 100) };
      });
      const fidelity = attack === null ? null : { cosine: 0.2, iou: 0.1, psnr: 24 };
      const score = Math.max(...classes.map((one) => one.score));
      const statistic = cleanse ? "anomaly index" : "success difference";
      return { kind: "detection", statistic, score, classes, fidelity };
    }
  }
}

/** A picture of noise with a bright corner. */
async function madeTrigger(key: string): Promise<Uint8Array> {
  const random = Random.fromSeed(0).fork(key);
  const pixels = Uint8Array.from({ length: 3 * 16 * 16 }, (_, at) =>
    at % 16 < 4 && Math.floor(at / 16) % 16 < 4 ? 230 : random.integer(0, 90),
  );
  return await encodePng(pixels, { channels: 3, height: 16, width: 16 });
}
