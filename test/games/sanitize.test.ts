import { describe, expect, test } from "vitest";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { areaUnderRoc } from "../../src/core/ranking.ts";
import { count, imageAt } from "../../src/data/images.ts";
import { type Collected, untouched } from "../../src/games/collect.ts";
import { sanitize, without } from "../../src/games/sanitize.ts";
import { noDevice } from "../attacks/no-device.ts";
import { noise } from "../support/networks.ts";
import { type Log, suspecting } from "./players.ts";

/** Ten images, of which 2, 5 and 7 are marked: 2 and 5 as class 1, and 7 keeps its label. */
const COLLECTED: Collected = {
  ...untouched(noise([0, 1, 1, 2, 1, 1, 0, 2, 3, 1])),
  indices: [2, 5, 7],
  covers: [7],
  repeats: [2, 5, 7, 2, 5, 7],
  unaugmented: new Set([2, 5, 7]),
};

describe("a training set without some of its images", () => {
  test("has everything else in its new place", () => {
    const left = without(COLLECTED, [1, 2, 8]);
    // 0 3 4 5 6 7 9
    expect(Array.from(left.images.labels)).toEqual([0, 2, 1, 1, 0, 2, 1]);
    for (const [to, from] of [0, 3, 4, 5, 6, 7, 9].entries()) {
      expect(imageAt(left.images, to)).toEqual(imageAt(COLLECTED.images, from));
    }
    expect(left.indices).toEqual([3, 5]);
    expect(left.covers).toEqual([5]);
    expect(left.repeats).toEqual([3, 5, 3, 5]);
    expect(left.unaugmented).toEqual(new Set([3, 5]));
    expect(left.finish).toBe(COLLECTED.finish);
  });

  test("is the same set without nothing", () => {
    expect(without(COLLECTED, [])).toEqual(COLLECTED);
  });
});

describe("a sanitizer's work", () => {
  const scores = Float64Array.of(9, 0.2, 0.8, 9, 0.3, 0.1, 9, 9, 9, 0.8);
  const judged = async (collected: Collected, removed: number[]) => {
    const log: Log = [];
    const method = suspecting({ scores, removed }, log);
    const context = { device: noDevice, random: Random.fromSeed(0), emit: silent };
    const scout = async () => "scout" as never;
    const curated = await sanitize(context, collected, { method, config: {} }, scout);
    expect(log).toEqual([
      { player: "sanitizer", input: { images: collected.images, model: "scout" } },
    ]);
    expect(count(curated.collected.images)).toBe(count(collected.images) - removed.length);
    return curated.filtered;
  };

  test("is judged by poisoned images alone: covers bear their true label", async () => {
    expect(await judged(COLLECTED, [2, 3, 7])).toEqual({
      ...{ images: 10, removed: 3, poisoned: 2, removedPoisoned: 1 },
      // Against honest images of the same label: 1, 4 and 9.
      separation: areaUnderRoc([0.8, 0.1], [0.2, 0.3, 0.8]),
    });
  });

  test("on clean images is all for nothing", async () => {
    expect(await judged(untouched(COLLECTED.images), [0])).toEqual({
      ...{ images: 10, removed: 1, poisoned: 0, removedPoisoned: 0, separation: null },
    });
  });

  test("has nothing to compare with where all images of the label are poisoned", async () => {
    const all = { ...COLLECTED, indices: [1, 2, 4, 5, 9], covers: [] };
    expect(await judged(all, [])).toMatchObject({ poisoned: 5, separation: null });
  });
});
