import { describe, expect, test } from "vitest";
import type { Attack } from "../../src/attacks/attack.ts";
import { ATTACKS } from "../../src/attacks/index.ts";
import { POISONING } from "../../src/attacks/poison.ts";
import { divideTrusted } from "../../src/audit/prepare.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { areaUnderRoc } from "../../src/core/ranking.ts";
import { digestOf } from "../../src/data/digest.ts";
import { ascending, count, type ImageSet, subset } from "../../src/data/images.ts";
import type { Detector } from "../../src/detectors/detector.ts";
import { DETECTORS } from "../../src/detectors/index.ts";
import type { DataPoisoner, Train } from "../../src/games/collect.ts";
import {
  type Detect,
  detectability,
  detectabilityGame,
  detectabilityRound,
} from "../../src/games/detectability.ts";
import type { Classifier } from "../../src/models/classifier.ts";
import { SANITIZERS } from "../../src/sanitizers/index.ts";
import type { Sanitizer } from "../../src/sanitizers/sanitizer.ts";
import { TRAINING } from "../../src/train/config.ts";
import { train } from "../../src/train/loop.ts";
import { sameBits } from "../support/contract.ts";
import { testDevice } from "../support/device.ts";
import { recording } from "../support/recording.ts";
import { countedOut, PATCH, pixelNet, pixelWeights } from "./pixel-net.ts";
import { comparing, type Log, passingThrough } from "./players.ts";
import { tintedImages } from "./tinted-images.ts";

const MODELS = ["poisoned", "clean"] as const;
type Model = (typeof MODELS)[number];

/** So many rounds, each with a coin of its own. */
async function rounds(detect: Detect<Model>, total = 1000) {
  const random = Random.fromSeed(11);
  const played = [];
  for (let round = 0; round < total; round++) {
    played.push(await detectabilityRound(MODELS, detect, 0.5, random.fork(`round/${round}`)));
  }
  return played;
}

test("the coin is fair, and decides which model the detector sees", async () => {
  const seen: Model[] = [];
  const played = await rounds(async (model) => seen.push(model));
  expect(seen).toEqual(played.map(({ coin }) => MODELS[coin]));
  const heads = played.filter(({ coin }) => coin === 0).length;
  // Four standard deviations of a fair coin: √(1000/4) = 15.8.
  expect(Math.abs(heads - 500)).toBeLessThan(64);
});

test("a detector that knows is always right, one that guesses half of the time, one that errs never", async () => {
  const share = async (detect: Detect<Model>) =>
    (await rounds(detect)).filter(({ right }) => right).length / 1000;
  expect(await share(async (model) => (model === "poisoned" ? 1 : 0))).toBe(1);
  expect(await share(async (model) => (model === "poisoned" ? 0 : 1))).toBe(0);
  expect(Math.abs((await share(async () => 1)) - 0.5)).toBeLessThan(0.064);
  expect(Math.abs((await share(async () => 0)) - 0.5)).toBeLessThan(0.064);
});

test("a score that reaches the threshold names the model poisoned", async () => {
  const [round] = await rounds(async () => 0.5, 1);
  expect(round).toMatchObject({ score: 0.5, named: 0 });
  const [below] = await rounds(async () => 0.4999, 1);
  expect(below).toMatchObject({ named: 1 });
});

test("detectability is the AUC over models, with how many there were", () => {
  const [poisoned, clean] = [
    [0.9, 0.7, 0.4],
    [0.5, 0.1],
  ];
  const result = detectability(poisoned, clean, Random.fromSeed(1));
  expect(result.value).toBe(areaUnderRoc(poisoned, clean));
  expect(result.models).toEqual([3, 2]);
  expect(result.low).toBeLessThanOrEqual(result.value);
  expect(result.high).toBeGreaterThanOrEqual(result.value);
});

describe("the game from its beginning", async () => {
  const device = await testDevice();
  const TARGET = 3;
  const CLEAN = tintedImages("clean", 400);
  const BOARD = { clean: CLEAN, trusted: subset(CLEAN, ascending(200)) };
  const attacker: DataPoisoner = {
    attack: {
      method: ATTACKS.badnets as Attack,
      config: ATTACKS.badnets.config.parse({ pattern: "white", size: PATCH }),
    },
    plan: POISONING.parse({ target: TARGET, samples: 30, boost: 3 }),
  };
  const start = await pixelNet(CLEAN, pixelWeights(CLEAN, TARGET, 0), device);
  const recipe = TRAINING.parse({
    ...{ epochs: 10, batch: 32, learningRate: 0.01, weightDecay: 0, labelSmoothing: 0 },
    ...{ flip: false, padding: 0 },
  });
  const context = (seed: number) => ({
    device: recording(device),
    random: Random.fromSeed(seed),
    emit: silent,
  });
  const allowed = { heldOut: 0.2, allowedDrop: 0.02 };

  test.each([
    ["poisoned", 0],
    ["clean", 1],
  ] as const)("is won by a real detector where the coin chooses the %s model", async (_, coin) => {
    // The first seed whose coin falls so.
    const seed = ascending(20).find(
      (seed) => Random.fromSeed(seed).fork("coin").chance(0.5) === (coin === 0),
    )!;
    const own = context(seed);
    const begun: number[] = [];
    const learn: Train = async (of, { images, repeats, unaugmented }) => {
      begun.push(of.random.fork("initial-weights").uniform());
      const input = { classifier: start, images, repeats, unaugmented };
      return (await train(of, input, recipe)).classifier;
    };
    const sanitizer = SANITIZERS["spectral-signatures"];
    const detector = DETECTORS["smallest-trigger"];
    const played = await detectabilityGame(
      own,
      {
        ...{ attacker, train: learn },
        sanitizer: { method: sanitizer as Sanitizer, config: sanitizer.config.parse({}) },
      },
      {
        ...{ ...allowed, threshold: 2 },
        detector: {
          method: detector as Detector,
          config: detector.config.parse({ families: ["masked"], steps: 40, images: 8 }),
        },
      },
      BOARD,
    );
    expect(played).toMatchObject({ coin, named: coin, right: true });
    expect(played.score >= 2).toBe(coin === 0);
    // Line 2 and 3: of the same size, and sanitized alike.
    const [poisoned, clean] = played.models;
    expect(poisoned.filtered).toMatchObject({ images: 400, poisoned: 30 });
    expect(clean.filtered).toMatchObject({ images: 400, poisoned: 0 });
    // Lines 4 and 5: networks for the sanitizer and the models themselves, all from the same initial weights.
    expect(begun).toHaveLength(4);
    expect(new Set(begun).size).toBe(1);
    const test = tintedImages("test", 200);
    const success = async ({ model }: { readonly model: Classifier }) =>
      (await countedOut(device, model, test, TARGET)).attackSuccess;
    expect(await success(poisoned)).toBeGreaterThan(0.8);
    expect(await success(clean)).toBeLessThan(0.2);
    expect(own.device.open).toBe(0);
  });

  test("plays the identity where a slot is empty, and repairs for a detector that compares", async () => {
    const log: Log = [];
    const own = context(1);
    const learn: Train = async (_, collected) => {
      log.push({ player: "train", input: collected.images });
      return start;
    };
    const repaired = pixelWeights(CLEAN, TARGET, 1);
    const detector = { method: comparing(0.5, log), config: {} };
    const reference = { method: passingThrough([repaired], log), config: {} };
    const inspection = { ...allowed, detector, reference, threshold: 1 };
    const played = await detectabilityGame(own, { attacker, train: learn }, inspection, BOARD);
    expect(log.map(({ player }) => player)).toEqual(["train", "train", "repair", "detector"]);
    const [poison, clean, repair, seen] = log.map(({ input }) => input) as [
      ...[ImageSet, ImageSet, { trusted: ImageSet }],
      Parameters<Detector["run"]>[1],
    ];
    expect(digestOf(poison)).not.toBe(digestOf(CLEAN));
    expect(count(poison)).toBe(count(CLEAN));
    expect(clean).toBe(CLEAN);
    // Line 7.
    const { tuning, heldOut } = divideTrusted(BOARD.trusted, 0.2, own.random);
    expect(digestOf(repair.trusted)).toBe(digestOf(tuning));
    expect(digestOf(seen.search)).toBe(digestOf(tuning));
    expect(digestOf(seen.heldOut)).toBe(digestOf(heldOut));
    expect(seen.model).toBe(start);
    expect(sameBits(seen.repaired.weights, repaired)).toBe(true);
    expect(played).toMatchObject({ score: 0.5, named: 1, right: played.coin === 1 });
    expect(played.models.map(({ model }) => model)).toEqual([start, start]);
    expect(own.device.open).toBe(0);
  });

  test("trains nothing for a detector that compares and has nothing to compare with", async () => {
    const log: Log = [];
    const learn: Train = async () => {
      log.push({ player: "train", input: undefined });
      return start;
    };
    const detector = { method: comparing(0.5, log), config: {} };
    const inspection = { ...allowed, detector, threshold: 1 };
    await expect(
      detectabilityGame(context(1), { attacker, train: learn }, inspection, BOARD),
    ).rejects.toMatchObject({ code: "INVALID_CONFIG", place: "reference" });
    expect(log).toEqual([]);
  });
});
