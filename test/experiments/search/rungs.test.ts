import { describe, expect, test } from "vitest";
import { climb, rungsOf } from "../../../src/experiments/search/rungs.ts";

describe("rungs", () => {
  test("of a grid: one, in which all run to the end", () => {
    expect(rungsOf("grid", 20, 1000)).toEqual([{ configurations: 20, steps: 1000 }]);
  });

  test("of halving: a third of the configurations for three times the steps", () => {
    expect(rungsOf("halving", 20, 900)).toEqual([
      { configurations: 20, steps: 100 },
      { configurations: 7, steps: 300 },
      { configurations: 3, steps: 900 },
    ]);
  });

  test("leave out rounds that are too short to tell anything", () => {
    expect(rungsOf("halving", 9, 60)).toEqual([
      { configurations: 9, steps: 20 },
      { configurations: 3, steps: 60 },
    ]);
    expect(rungsOf("halving", 9, 10)).toEqual([{ configurations: 9, steps: 10 }]);
  });
});

describe("climbing", () => {
  const configurations = [5, 3, 9, 1, 7, 2, 8, 6, 4];
  const ran: [number, number][] = [];
  const run = async (value: number, steps: number) => {
    ran.push([value, steps]);
    return value;
  };

  test("keeps the best of every rung and the first configuration, and returns the last rung, best first", async () => {
    const rungs = rungsOf("halving", 9, 180);
    const best = await climb(rungs, configurations, run, (a, b) => a - b);
    expect(best).toEqual([1, 5]);
    expect(ran.slice(0, 9)).toEqual(configurations.map((value) => [value, 20]));
    expect(ran.slice(9)).toEqual([
      [1, 60],
      [2, 60],
      [3, 60],
      [5, 60],
      [1, 180],
      [5, 180],
    ]);
  });

  test("leaves equals in the order of their configurations", async () => {
    const best = await climb(rungsOf("grid", 9, 1), configurations, run, () => 0);
    expect(best).toEqual(configurations);
  });
});
