import { expect, test } from "vitest";
import { EFFORTS, repeatsFor, scaled } from "../../src/audit/options.ts";
import { smallestTrigger } from "../../src/detectors/smallest-trigger.ts";

const stepsAt = (effort: keyof typeof EFFORTS, options = {}) => {
  const config = smallestTrigger.config.parse(options);
  return scaled({ method: smallestTrigger, config }, effort).config["steps"];
};

test("an effort scales the default steps of a method", () => {
  const usual = smallestTrigger.config.parse({}).steps;
  expect(stepsAt("standard")).toBe(usual);
  expect(stepsAt("quick")).toBe(Math.round(usual * EFFORTS.quick.steps));
  expect(stepsAt("thorough")).toBe(Math.round(usual * EFFORTS.thorough.steps));
});

test("steps that were asked for stay as they are", () => {
  expect(stepsAt("quick", { steps: 7 })).toBe(7);
  expect(stepsAt("thorough", { steps: 7 })).toBe(7);
});

test("steps that were stated stay, even if they are the usual ones", () => {
  const config = smallestTrigger.config.parse({});
  const stated = (...given: string[]) =>
    scaled({ method: smallestTrigger, config, given }, "quick").config["steps"];
  expect(stated("steps")).toBe(config.steps);
  expect(stated("images")).toBe(stepsAt("quick"));
});

test("repeats that were asked for stay as they are", () => {
  expect(repeatsFor({ effort: "quick", repeats: 4 })).toBe(4);
  expect(repeatsFor({ effort: "quick" })).toBe(EFFORTS.quick.repeats);
});
