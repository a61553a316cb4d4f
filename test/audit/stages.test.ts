import { expect, test } from "vitest";
import { Stages } from "../../src/audit/stages.ts";
import type { Progress } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { noDevice } from "../attacks/no-device.ts";

test("stages add their progress up to that of the whole, by their share of the work", async () => {
  const percents: number[] = [];
  const others: string[] = [];
  const emit = (event: Progress) => {
    if (event.kind === "step" && event.stage === "audit") percents.push(event.done);
    else others.push(event.stage);
  };
  const stages = new Stages("audit", { device: noDevice, random: Random.fromSeed(0), emit });
  const step = { kind: "step", stage: "inner", done: 1, total: 1 } as const;

  // Before anything is expected nothing is said.
  await stages.run("preflight", async (context) => context.emit(step));
  expect(percents).toEqual([]);

  stages.expect(
    new Map([
      ["search", { amount: 60, steps: 2 }],
      ["repair", { amount: 40, steps: 4 }],
    ]),
  );
  const found = await stages.run("search", async (context) => {
    context.emit(step);
    context.emit({ kind: "note", stage: "inner", message: "no step" });
    context.emit(step);
    return "found";
  });
  await stages.run("repair", async (context) => {
    // One step more than expected, and what was expected is not exceeded.
    for (let i = 0; i < 5; i++) context.emit(step);
  });
  expect(found).toBe("found");
  expect(percents).toEqual([0, 30, 60, 70, 80, 90, 100]);
  expect(others).toHaveLength(9);
  expect(stages.times.map(({ name }) => name)).toEqual(["preflight", "search", "repair"]);
});

test("a stage that fails is timed too", async () => {
  const context = { device: noDevice, random: Random.fromSeed(0), emit: () => {} };
  const stages = new Stages("audit", context);
  await expect(stages.run("search", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(stages.times).toHaveLength(1);
});
