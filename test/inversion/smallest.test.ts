import { describe, expect, test } from "vitest";
import { float32 } from "../../src/core/tensor.ts";
import { additive } from "../../src/data/overlay.ts";
import {
  mostSuspicious,
  sizeGaps,
  sizeRatios,
  standingOut,
  suspected,
} from "../../src/inversion/smallest.ts";

const reached = (...sizes: number[]) => sizes.map((size) => ({ size, reached: true }));

describe("how many times smaller a trigger is than that of the median other class", () => {
  test("with an odd and an even number of others", () => {
    expect(sizeRatios(reached(2, 8, 12, 20))).toEqual([6, 12 / 8, 8 / 12, 8 / 20]);
    expect(sizeRatios(reached(2, 8, 12))).toEqual([5, 7 / 8, 5 / 12]);
    expect(sizeRatios(reached(2, 8))).toEqual([4, 0.25]);
  });

  test("is 1 where all are alike, and the same for equals", () => {
    expect(sizeRatios(reached(3, 3, 3, 3))).toEqual([1, 1, 1, 1]);
    expect(sizeRatios(reached(1, 1, 4, 4, 4))).toEqual([4, 4, 0.625, 0.625, 0.625]);
  });

  test("is 0 for a trigger that never worked, which counts as the largest one for others", () => {
    const sizes = [...reached(2, 6), { size: 0.1, reached: false }, { size: 99, reached: false }];
    expect(sizeRatios(sizes)).toEqual([3, 1, 0, 0]);
  });

  test("is 0 for all where none worked", () => {
    expect(sizeRatios([1, 2, 3].map((size) => ({ size, reached: false })))).toEqual([0, 0, 0]);
  });
});

describe("sizeGaps", () => {
  test("compares with the closest other class, so only one is above 1", () => {
    expect(sizeGaps(reached(8, 2, 12, 20))).toEqual([0.25, 4, 2 / 12, 0.1]);
    expect(sizeGaps(reached(3, 3, 9))).toEqual([1, 1, 1 / 3]);
  });

  test("is 0 for a trigger that never worked, which counts as at least the largest one", () => {
    const sizes = [
      { size: 2, reached: true },
      { size: 6, reached: true },
      { size: 1, reached: false },
    ];
    expect(sizeGaps(sizes)).toEqual([3, 1 / 3, 0]);
    expect(sizeGaps(sizes.slice(1))).toEqual([1, 0]);
  });
});

describe("suspicion", () => {
  const trigger = additive(float32([1, 1, 1], [0.5]));
  const family = (...sizes: number[]) =>
    sizes.map((size, target) => ({
      ...{ target, family: "masked" as const, trigger },
      ...{ size, reached: true },
    }));

  test("compares triggers with those of the same family", () => {
    const all = suspected([family(1, 2, 4), family(300, 100, 200)]);
    expect(all.map(({ target, suspicion }) => [target, suspicion])).toEqual([
      ...[
        [0, 3],
        [1, 1.25],
        [2, 0.375],
      ],
      ...[
        [0, 0.5],
        [1, 2.5],
        [2, 1],
      ],
    ]);
    expect(mostSuspicious(all)).toBe(all[0]);
  });

  test("triggers stand out that are clearly smaller than any other class's of their family", () => {
    // Classes 0 and 1 need far less than the median class, but about as little as each other.
    const natural = family(1, 1.2, 4, 4, 5);
    const planted = family(9, 9, 9, 2, 8);
    const out = standingOut(suspected([natural, planted]));
    expect(out.map(({ target, gap }) => [target, gap])).toEqual([[3, 4]]);
    expect(standingOut(suspected([natural]), 1.1).map(({ target }) => target)).toEqual([0]);
    const failed = planted.map((trigger) => ({ ...trigger, reached: trigger.size !== 2 }));
    expect(standingOut(suspected([failed]), 0).map(({ target }) => target)).toEqual([0, 1, 2, 4]);
  });

  test("triggers stand out that do so on average over all searches", () => {
    const once = suspected([family(4, 4, 4, 3)]); // gap 1.33 of class 3
    const [natural, found] = [suspected([family(4, 4, 4, 8)]), suspected([family(4, 4, 4, 1)])];
    expect(standingOut(once).map(({ target }) => target)).toEqual([3]);
    // By luck in one of two.
    expect(standingOut([...once, ...natural])).toEqual([]);
    // A backdoor that one of two searches misses: what the other one has found is what stands out.
    expect(standingOut([...natural, ...found]).map(({ gap }) => gap)).toEqual([4]);
  });

  test("is largest for the first of equals, and for nobody among none", () => {
    const all = suspected([family(2, 2, 2)]);
    expect(mostSuspicious(all)).toBe(all[0]);
    expect(mostSuspicious([])).toBeUndefined();
  });
});
