import { expect, test } from "vitest";
import { Random } from "../../src/core/random.ts";
import { areaUnderRoc } from "../../src/core/ranking.ts";
import { type Detect, detectability, detectabilityGame } from "../../src/games/detectability.ts";

const MODELS = ["poisoned", "clean"] as const;
type Model = (typeof MODELS)[number];

/** So many rounds, each with a coin of its own. */
async function rounds(detect: Detect<Model>, total = 1000) {
  const random = Random.fromSeed(11);
  const played = [];
  for (let round = 0; round < total; round++) {
    played.push(await detectabilityGame(MODELS, detect, 0.5, random.fork(`round/${round}`)));
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
