import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { proportion } from "../../../src/core/statistics.ts";
import { betterFor } from "../../../src/experiments/search/search.ts";
import { type Trial, TrialJournal } from "../../../src/experiments/search/trials.ts";
import { folderWith } from "../../data/temporary.ts";

const trial = (rate: number): Trial => ({
  options: { rate, steps: 20 },
  success: 0.1,
  accuracy: proportion(9, 10),
  drop: { value: 0, low: -0.1, high: 0.1 },
  deployable: true,
  step: 20,
  stopped: null,
  views: 16,
  duration: 1,
});

describe("the journal of a search", () => {
  test("finds what was written down before, and drops half a line", async () => {
    const path = join(await folderWith({}), "trials.jsonl");
    const first = await TrialJournal.open(path, "a");
    await first.add(trial(0.1));
    await first.add(trial(0.2));
    await appendFile(path, '{"options":{"rate":0.3');
    const again = await TrialJournal.open(path, "a");
    expect(again.trials).toEqual([trial(0.1), trial(0.2)]);
    expect(again.find({ rate: 0.2, steps: 20 })).toEqual(trial(0.2));
    expect(again.find({ rate: 0.2, steps: 60 })).toBeUndefined();
    await again.add(trial(0.4));
    expect((await readFile(path, "utf8")).trim().split("\n")).toHaveLength(4);
  });

  test("refuses the trials of another search", async () => {
    const path = join(await folderWith({}), "trials.jsonl");
    await TrialJournal.open(path, "a");
    await expect(TrialJournal.open(path, "b")).rejects.toMatchObject({ code: "DATA_INVALID" });
  });

  test("says which line is damaged", async () => {
    const lines = '{"search":"a"}\n{"options":1}\n';
    const damaged = join(await folderWith({ "trials.jsonl": lines }), "trials.jsonl");
    await expect(TrialJournal.open(damaged, "a")).rejects.toMatchObject({
      code: "DATA_INVALID",
      place: `${damaged}:2`,
    });
  });
});

describe("of two trials", () => {
  const with_ = (success: number, drop: number, deployable = true): Trial => ({
    ...trial(0.1),
    ...{ success, deployable, drop: { value: drop, low: drop - 0.05, high: drop + 0.05 } },
  });
  const better = (a: Trial, b: Trial) => {
    expect(Math.sign(betterFor(0.02)(a, b))).toBe(-1);
    expect(Math.sign(betterFor(0.02)(b, a))).toBe(1);
  };

  test("one is better that keeps the allowed accuracy, then one that is seen to, then one that removes more", () => {
    better(with_(0.9, 0.04, true), with_(0, 0.04, false));
    better(with_(0.9, 0.02), with_(0, 0.04));
    better(with_(0.1, 0.02), with_(0.2, 0));
    better(with_(0.01, 0), with_(0, 0.01)); // both are as good as removed
  });
});
