import { describe, expect, test } from "vitest";
import { silent } from "../../../src/core/progress.ts";
import { forecast } from "../../../src/experiments/reproduce/forecast.ts";
import { scaleNamed } from "../../../src/experiments/reproduce/scales.ts";
import { table2 } from "../../../src/experiments/reproduce/table-2.ts";
import { folderWith } from "../../data/temporary.ts";

const scale = scaleNamed("tiny");

describe("what lies ahead of a reproduction", { timeout: 120_000 }, () => {
  test("is every trial of an empty store, and of a part those of the part", async () => {
    const store = await folderWith({});
    const options = { store, workers: 1, device: "cpu", threads: 1 } as const;
    const ahead = (of: number, index: number) =>
      forecast({ emit: silent }, [table2], scale, { ...options, shard: { index, of } });
    const all = await ahead(1, 0);
    expect(all.missing).toBe(all.trials);
    expect(all.seconds).toBeGreaterThan(0);
    const parts = [await ahead(2, 0), await ahead(2, 1)];
    for (const part of parts) expect(part.trials).toBeLessThan(all.trials);
    // All divide the same.
    expect(parts.map(({ families }) => families)).toEqual([all.families, all.families]);
    // What several need, each counts.
    expect(parts[0]!.trials + parts[1]!.trials).toBeGreaterThanOrEqual(all.trials);
  });
});
