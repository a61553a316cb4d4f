import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Attack } from "../../src/attacks/attack.ts";
import type { CodePoisoning } from "../../src/attacks/code-poisoning.ts";
import { ATTACKS } from "../../src/attacks/index.ts";
import { POISONING, poison } from "../../src/attacks/poison.ts";
import { divideTrusted } from "../../src/audit/prepare.ts";
import { AntidoteError } from "../../src/core/errors.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { proportion } from "../../src/core/statistics.ts";
import { float32 } from "../../src/core/tensor.ts";
import { digestOf } from "../../src/data/digest.ts";
import { ascending, count, type ImageSet, subset } from "../../src/data/images.ts";
import type { Attacker, Collected, DataPoisoner } from "../../src/games/collect.ts";
import { oracleChoice } from "../../src/games/oracle.ts";
import { type Board, type Defence, robustnessGame } from "../../src/games/robustness.ts";
import { predict } from "../../src/models/predict.ts";
import { sameBits } from "../support/contract.ts";
import { testDevice } from "../support/device.ts";
import { recording } from "../support/recording.ts";
import { countedOut, PATCH, pixelNet, pixelWeights } from "./pixel-net.ts";
import { type Log, passingThrough, refuses, reserved, suspecting } from "./players.ts";
import { tintedImages } from "./tinted-images.ts";

const device = await testDevice();
const TARGET = 3;
const CLEAN = tintedImages("clean", 300);
const BOARD: Board = {
  clean: CLEAN,
  trusted: subset(CLEAN, ascending(200)),
  test: tintedImages("test", 230),
};

const patch = ATTACKS.badnets as Attack;
const badnets: DataPoisoner = {
  attack: {
    method: patch,
    config: ATTACKS.badnets.config.parse({ pattern: "white", size: PATCH }),
  },
  plan: POISONING.parse({ target: TARGET, samples: 20, boost: 3 }),
};

const weights = (strength: number) => pixelWeights(CLEAN, TARGET, strength);
const CLEAN_MODEL = await pixelNet(CLEAN, weights(0), device);
const BACKDOORED = await pixelNet(CLEAN, weights(3), device);
/** The least similar class wins, but never the target. */
const RUINED = new Map(
  [...weights(0)].map(([name, { shape, data }]) => {
    const turned = (data as Float32Array).map((value) => -value);
    if (name === "fc.bias") turned[TARGET] = -1000;
    return [name, float32(shape, turned)];
  }),
);

/** Knows the first classes alone, and of these not the target. */
const ASTRAY = new Map(
  [...weights(0)].map(([name, { shape, data }]) => {
    const own = (data as Float32Array).slice();
    if (name === "fc.bias") own.fill(-1000, TARGET);
    return [name, float32(shape, own)];
  }),
);

/** `Train` as the tests need it: poisoned images give the backdoored network. */
function trainer(log: Log, player = "train") {
  return async (_: unknown, collected: Collected) => {
    log.push({ player, input: collected });
    return collected.indices.length > 0 ? BACKDOORED : CLEAN_MODEL;
  };
}

const UNDEFENDED: Defence = { allowedDrop: 0.02, heldOut: 0.3 };
const context = (of = device) => ({
  device: recording(of),
  random: Random.fromSeed(1),
  emit: silent,
});

describe("the robustness game", () => {
  test("plays the identity where a slot is empty", async () => {
    const log: Log = [];
    const own = context();
    const play = await robustnessGame(
      own,
      { attacker: badnets, train: trainer(log) },
      UNDEFENDED,
      BOARD,
    );
    // Collect.
    expect(log.map(({ player }) => player)).toEqual(["train"]);
    const trigger = await patch.run(
      own,
      { geometry: CLEAN, classes: 10, target: TARGET },
      badnets.attack.config,
    );
    const marked = await poison(CLEAN, "poison", trigger, badnets.plan, {
      random: own.random.fork("badnets"),
    });
    const collected = log[0]!.input as Collected;
    expect(digestOf(collected.images)).toBe(digestOf(marked.images));
    expect(collected.indices).toEqual(marked.indices);
    expect(collected.repeats).toEqual(marked.repeats);
    expect(play.suspect.filtered).toBeUndefined();
    // Train, repair, deploy.
    expect(play.suspect.model).toBe(BACKDOORED);
    expect(play.model).toBe(BACKDOORED);
    expect(play.curve).toEqual([{ step: 0, loss: null, estimatedDrop: null, ...play.before }]);
    expect(play.oracle).toBe(play.curve[0]);
    expect(play.deployable).toBe(play.curve[0]);
    expect(play.deployed).toEqual(play.before);
    expect(play.claimed).toBe(true);
    expect(play.stopped).toBeNull();
    // Judge.
    const { accuracy, attackSuccess, others } = await countedOut(
      device,
      BACKDOORED,
      BOARD.test,
      TARGET,
    );
    expect(others).toBe(207);
    expect(attackSuccess).toBeGreaterThan(0.9);
    expect(play.before.accuracy).toEqual(proportion(Math.round(230 * accuracy), 230));
    expect(play.before.attackSuccess).toEqual(proportion(Math.round(207 * attackSuccess), 207));
    expect(own.device.open).toBe(0);
  });

  test("knows no attack success without an attack", async () => {
    const play = await robustnessGame(context(), { train: trainer([]) }, UNDEFENDED, BOARD);
    expect(play.suspect.model).toBe(CLEAN_MODEL);
    expect(play.before.attackSuccess).toBeNull();
    expect(play.suspect.collected.images).toBe(CLEAN);
  });

  test("gives every slot what is its own, and judges what comes out", async () => {
    const log: Log = [];
    const own = context();
    // The patch is gone at once but accuracy with it; then both come back, step by step.
    const course = [RUINED, ASTRAY, weights(0.5)];
    const sanitized = {
      scores: Float64Array.from(ascending(300), (index) => (index * 7) % 300),
      removed: [0, 4, 5, 6, 100, 299],
    };
    const play = await robustnessGame(
      own,
      {
        attacker: badnets,
        sanitizer: { method: suspecting(sanitized, log), config: {} },
        train: trainer(log),
        scout: trainer(log, "scout"),
      },
      {
        ...{ ...UNDEFENDED, allowedDrop: 0.1 },
        repair: { method: passingThrough(course, log), config: {} },
        deployment: { method: reserved(log), config: {} },
      },
      BOARD,
    );
    expect(log.map(({ player }) => player)).toEqual([
      ...["scout", "sanitizer", "train"],
      ...["repair", "deployment"],
    ]);
    const [scout, sanitizer, train, repair, deployment] = log.map(({ input }) => input) as [
      ...[Collected, { images: unknown; model: unknown }, Collected],
      ...[{ model: unknown; trusted: ImageSet }, { model: unknown; trusted: ImageSet }],
    ];
    expect(count(scout.images)).toBe(300);
    expect(sanitizer.images).toBe(scout.images);
    expect(sanitizer.model).toBe(BACKDOORED);
    expect(count(train.images)).toBe(294);
    expect(repair.model).toBe(BACKDOORED);
    const { tuning } = divideTrusted(BOARD.trusted, 0.3, own.random);
    expect(digestOf(repair.trusted)).toBe(digestOf(tuning));
    expect(deployment.trusted).toBe(BOARD.trusted);
    expect(deployment.model).toBe(play.model);

    // Every point of the curve.
    expect(play.curve.map(({ step, loss }) => [step, loss])).toEqual([
      ...[
        [0, null],
        [10, 1],
        [20, 1 / 2],
        [30, 1 / 3],
      ],
    ]);
    const counted = [];
    for (const change of [new Map(), ...course]) {
      counted.push(await countedOut(device, BACKDOORED.withWeights(change), BOARD.test, TARGET));
    }
    expect(play.curve.map((point) => [point.accuracy.value, point.attackSuccess!.value])).toEqual(
      counted.map(({ accuracy, attackSuccess }) => [accuracy, attackSuccess]),
    );
    // The ruined network has the lowest success, but not within the allowed drop.
    const successes = counted.map(({ attackSuccess }) => attackSuccess);
    expect(successes[1]).toBe(0);
    expect(successes[2]).toBeLessThan(successes[3]!);
    expect(counted[2]!.accuracy).toBeLessThan(counted[3]!.accuracy);
    expect(play.oracle.step).toBe(20);
    // Nobody has shown the trigger to the defender, who sees that the last one is more accurate.
    expect(play.deployable).toBe(play.curve[3]);
    expect(sameBits(play.model.weights, weights(0.5))).toBe(true);

    // A refusal is no right answer, and does not serve the attacker either.
    const shipped = BACKDOORED.withWeights(weights(0.5));
    const { classes } = await predict(device, shipped, BOARD.test);
    const right = [...classes].filter(
      (answer, row) => !refuses(answer, row) && answer === BOARD.test.labels[row],
    ).length;
    expect(right).toBeLessThan(Math.round(230 * counted[3]!.accuracy));
    expect(play.deployed.accuracy).toEqual(proportion(right, 230));
    expect(play.deployed.attackSuccess!.value).toBeLessThan(counted[3]!.attackSuccess);
    expect(play.deployed.attackSuccess!.count).toBe(207);
    expect(own.device.open).toBe(0);
  });

  test("needs test images that a trigger could move", async () => {
    const { labels } = BOARD.test;
    const rows = ascending(count(BOARD.test)).filter((row) => labels[row] === TARGET);
    const test = subset(BOARD.test, rows);
    await expect(
      robustnessGame(context(), { attacker: badnets, train: trainer([]) }, UNDEFENDED, {
        ...BOARD,
        test,
      }),
    ).rejects.toMatchObject({ code: "TOO_FEW_IMAGES" });
  });

  test("leaves clean, trusted and test images as they are", async () => {
    const kept = [CLEAN, BOARD.trusted, BOARD.test];
    const before = kept.map(digestOf);
    const log: Log = [];
    const repair = { method: passingThrough([weights(0)], log), config: {} };
    await robustnessGame(
      context(),
      { attacker: badnets, train: trainer([]) },
      { ...UNDEFENDED, repair },
      BOARD,
    );
    expect(kept.map(digestOf)).toEqual(before);
  });

  test("hands a trained network on to an attacker who owns the training", async () => {
    const own = context();
    const play = await robustnessGame(
      own,
      { attacker: codePoisoner([]), train: async () => CLEAN_MODEL },
      UNDEFENDED,
      BOARD,
    );
    expect(play.suspect.collected.images).toBe(CLEAN);
    expect(sameBits(play.suspect.model.weights, weights(3))).toBe(true);
    expect(play.before.attackSuccess!.value).toBeGreaterThan(0.9);
  });

  test("frees what the attacker holds even when training fails", async () => {
    const released: string[] = [];
    const train = async () => {
      throw new AntidoteError("DIVERGED", "The loss is NaN.");
    };
    await expect(
      robustnessGame(context(), { attacker: codePoisoner(released), train }, UNDEFENDED, BOARD),
    ).rejects.toMatchObject({ code: "DIVERGED" });
    expect(released).toEqual(["training"]);
  });
});

/** Writes the backdoor of the white patch into whatever was trained. */
function codePoisoner(released: string[]): Attacker {
  const about = { geometry: CLEAN, classes: 10, target: TARGET };
  const trigger = async (of: string) => ({
    ...(await patch.run(context(), about, badnets.attack.config)),
    release: async () => void released.push(of),
  });
  const method: CodePoisoning = {
    name: "writing",
    summary: "",
    source: { paper: "", authors: "", year: 2026, deviations: [] },
    config: z.strictObject({}),
    trigger: () => trigger("test"),
    async run() {
      const own = await trigger("training");
      return { trigger: own, train: async (model) => model.withWeights(weights(3)) };
    },
  };
  return { attack: { method, config: {} }, target: TARGET };
}

describe("the oracle's choice", () => {
  const point = (step: number, accuracy: number, success: number) => ({
    step,
    accuracy: proportion(accuracy, 1000),
    attackSuccess: proportion(success, 1000),
  });
  const suspect = point(0, 900, 990);

  test.each([
    ["the lowest success", [point(1, 890, 500), point(2, 890, 100), point(3, 890, 200)], 2],
    ["the first of equals", [point(1, 885, 100), point(2, 900, 100)], 1],
    ["a drop of exactly Δ, but none larger", [point(1, 880, 200), point(2, 879, 0)], 1],
    ["the suspect where nothing keeps Δ", [point(1, 800, 0)], 0],
    ["the suspect where nothing is better", [point(1, 950, 990)], 0],
  ])("is %s", (_, points, step) => {
    expect(oracleChoice([suspect, ...points], 0.02).step).toBe(step);
  });

  test("is the suspect where there is no attack", () => {
    const clean = [0, 1].map((step) => ({ ...point(step, 900 + step, 0), attackSuccess: null }));
    expect(oracleChoice(clean as never, 0.02)).toBe(clean[0]);
  });
});
