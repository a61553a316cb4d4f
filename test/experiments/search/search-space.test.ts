import { describe, expect, test } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { configurationsOf } from "../../../src/experiments/search/search-space.ts";

const GIVEN = { rate: 0.1, decay: 1, steps: 10 };
const SPACE = { rate: [0.1, 0.01], decay: [0, 1, 2] };

describe("configurations", () => {
  test("are all combinations, the given one first and only once", () => {
    const all = configurationsOf(GIVEN, SPACE, 99, Random.fromSeed(0));
    expect(all).toHaveLength(6);
    expect(all[0]).toEqual(GIVEN);
    expect(new Set(all.map((one) => JSON.stringify(one))).size).toBe(6);
    expect(all.every(({ steps }) => steps === 10)).toBe(true);
  });

  test("are drawn from the combinations where fewer are wanted", () => {
    const drawn = (seed: number) => configurationsOf(GIVEN, SPACE, 3, Random.fromSeed(seed));
    expect(drawn(0)).toHaveLength(3);
    expect(drawn(0)).toEqual(drawn(0));
    expect(drawn(0)).not.toEqual(drawn(1));
  });

  test("keep a given value that the space does not list, for the given one alone", () => {
    const all = configurationsOf({ ...GIVEN, rate: 0.5 }, SPACE, 99, Random.fromSeed(0));
    expect(all).toHaveLength(7);
    expect(all.filter(({ rate }) => rate === 0.5)).toHaveLength(1);
  });
});
