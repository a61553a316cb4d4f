import { describe, expect, test } from "vitest";
import { silent } from "../../../src/core/progress.ts";
import { forecast } from "../../../src/experiments/grid/forecast.ts";
import { figure9 } from "../../../src/experiments/reproduce/figure-9.ts";
import { plansOf } from "../../../src/experiments/reproduce/reproduce.ts";
import { scaleNamed } from "../../../src/experiments/reproduce/scales.ts";
import { table2 } from "../../../src/experiments/reproduce/table-2.ts";
import { folderWith } from "../../data/temporary.ts";

const scale = scaleNamed("tiny");
const [two, nine] = [table2, figure9].map((artefact) => plansOf(artefact, scale));

describe("what lies ahead of a run", { timeout: 120_000 }, () => {
  test("is every trial of an empty store, and of a part those of the part", async () => {
    const store = await folderWith({});
    const options = { store, workers: 1, device: "cpu", threads: 1 } as const;
    const ahead = (of: number, index: number) =>
      forecast({ emit: silent }, [two!], { ...options, shard: { index, of } });
    const all = await ahead(1, 0);
    expect(all.missing).toBe(all.trials);
    expect(all.seconds).toBeGreaterThan(0);
    const parts = [await ahead(2, 0), await ahead(2, 1)];
    for (const part of parts) expect(part.trials).toBeLessThan(all.trials);
    // All divide the same.
    expect(parts.map(({ families }) => families)).toEqual([all.families, all.families]);
    // What several need, each counts.
    expect(parts[0]!.trials + parts[1]!.trials).toBeGreaterThanOrEqual(all.trials);
    expect(all.anew).toBeNull();
  });

  test("is told of every group, where trials that groups share count once together", async () => {
    const options = { store: await folderWith({}), workers: 2, device: "cpu", threads: 1 } as const;
    const ahead = await forecast({ emit: silent }, [two!, nine!, []], { ...options, anew: true });
    const [a, b, nothing] = ahead.groups;
    expect(nothing).toEqual({ trials: 0, missing: 0, seconds: 0, anew: 0 });
    expect(ahead.trials).toBeLessThanOrEqual(a!.trials + b!.trials);
    expect(ahead.trials).toBeGreaterThan(Math.max(a!.trials, b!.trials));
    // Of an empty store everything is missing.
    for (const { seconds, anew } of [ahead, a!, b!]) expect(anew).toBe(seconds);
    expect(ahead.seconds).toBeLessThanOrEqual(a!.seconds + b!.seconds + 1e-6);
  });
});
