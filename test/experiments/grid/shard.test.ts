import { describe, expect, test } from "vitest";
import { expand } from "../../../src/experiments/grid/expand.ts";
import { familiesOf, partOf, shardFrom } from "../../../src/experiments/grid/shard.ts";
import { needsOf } from "../../../src/experiments/grid/trial.ts";
import { experimentOf, IMAGES } from "./fixtures.ts";

const PLAN = expand(
  experimentOf({
    attacks: [{ name: "badnets", poisoned: [5, 10] }, "pcb"],
    ...{ seeds: 2, cleanModels: 2, trusted: [50], repairs: ["nad"] },
    detectors: ["calibrated-trigger-inversion"],
  }),
  IMAGES,
);

describe.each([1, 2, 3, 8, 20])("%i parts of an experiment", (of) => {
  const parts = Array.from({ length: of }, (_, index) => partOf(PLAN, { index, of }));

  test("are together the whole, in its order", () => {
    const together = new Set(parts.flat());
    expect(PLAN.filter((trial) => together.has(trial))).toEqual(PLAN);
    expect(together.size).toBe(PLAN.length);
    for (const part of parts) expect(part).toEqual(PLAN.filter((trial) => part.includes(trial)));
  });

  test("can each be run alone, and share nothing but what they need of others", () => {
    const needed = new Set(PLAN.filter(({ label }) => label === "surrogate").map(({ key }) => key));
    expect(needed.size).toBe(1);
    const runBy = new Map<string, number>();
    for (const part of parts) {
      const keys = new Set(part.map(({ key }) => key));
      for (const { key, config } of part) {
        for (const other of needsOf(config)) expect(keys.has(other)).toBe(true);
        if (!needed.has(key)) runBy.set(key, (runBy.get(key) ?? 0) + 1);
      }
    }
    expect(new Set(runBy.values())).toEqual(new Set([1]));
  });

  test("are about equal", () => {
    const families = parts.map((part) => new Set(part.map(({ family }) => family)).size);
    // One more for a surrogate that another part has as well.
    expect(Math.max(...families) - Math.min(...families)).toBeLessThanOrEqual(2);
  });
});

test("parts of two experiments share no model, where these are divided together", () => {
  const other = expand(
    experimentOf({ attacks: [{ name: "badnets", poisoned: 5 }], ...{ seeds: 2, cleanModels: 0 } }),
    IMAGES,
  );
  const shared = (families?: readonly string[]) => {
    const [one, two] = [0, 1].map((index) => {
      const parts = [PLAN, other].flatMap((plan) => partOf(plan, { index, of: 2 }, families));
      return new Set(parts.flatMap(({ key, role }) => (role === "subject" ? key : [])));
    }) as [Set<string>, Set<string>];
    return [...one].filter((key) => two.has(key)).length;
  };
  expect(shared(familiesOf([PLAN, other]))).toBe(0);
  expect(shared()).toBeGreaterThan(0);
});

describe("which part is to be run", () => {
  test.each([
    ["1/1", { index: 0, of: 1 }],
    ["2/8", { index: 1, of: 8 }],
    ["8/8", { index: 7, of: 8 }],
  ])("%s", (given, shard) => {
    expect(shardFrom(given, { JOB_COMPLETION_INDEX: "5", JOB_COMPLETIONS: "6" })).toEqual(shard);
  });

  test.each(["0/4", "5/4", "1/0", "1", "a/b", "1/2/3", "-1/2", "1.5/2", ""])(
    "is not %j",
    (given) => {
      expect(() => shardFrom(given, {})).toThrow(
        expect.objectContaining({ code: "USAGE", place: "--shard" }),
      );
    },
  );

  test("is all of it where nobody says otherwise", () => {
    expect(shardFrom(undefined, { PATH: "/bin" })).toBeUndefined();
  });

  const slurm = (id: number, min: number, count: number, step?: number) => ({
    SLURM_ARRAY_TASK_ID: String(id),
    SLURM_ARRAY_TASK_MIN: String(min),
    SLURM_ARRAY_TASK_COUNT: String(count),
    ...(step === undefined ? {} : { SLURM_ARRAY_TASK_STEP: String(step) }),
  });

  test.each([
    ["--array=0-3", slurm(2, 0, 4, 1), { index: 2, of: 4 }],
    ["--array=1-4", slurm(4, 1, 4, 1), { index: 3, of: 4 }],
    ["--array=0-8:2", slurm(6, 0, 5, 2), { index: 3, of: 5 }],
    ["--array=7", slurm(7, 7, 1), { index: 0, of: 1 }],
    ["an Indexed Job", { JOB_COMPLETION_INDEX: "0", JOB_COMPLETIONS: "3" }, { index: 0, of: 3 }],
  ])("is what a scheduler says: %s", (_, environment, shard) => {
    expect(shardFrom(undefined, environment)).toEqual(shard);
  });

  test.each([
    [
      "an Indexed Job that does not say of how many",
      { JOB_COMPLETION_INDEX: "1" },
      "JOB_COMPLETIONS",
    ],
    ["--array=1,3,7", slurm(7, 1, 3), "SLURM_ARRAY_TASK_COUNT"],
    ["an array with gaps", slurm(2, 1, 3, 2), "SLURM_ARRAY_TASK_COUNT"],
    ["nonsense", { JOB_COMPLETION_INDEX: "x", JOB_COMPLETIONS: "3" }, "JOB_COMPLETIONS"],
  ])("is not clear from %s", (_, environment, place) => {
    expect(() => shardFrom(undefined, environment)).toThrow(
      expect.objectContaining({ code: "USAGE", place, next: expect.stringContaining("--shard") }),
    );
  });
});
