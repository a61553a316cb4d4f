import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { mergeInto } from "../../../src/experiments/grid/merge.ts";
import { keepPlan } from "../../../src/experiments/grid/plans.ts";
import { snapshotOf } from "../../../src/experiments/grid/snapshot.ts";
import type { ResultStore } from "../../../src/experiments/grid/store.ts";
import { keyOf, type TrialConfig } from "../../../src/experiments/grid/trial.ts";
import { CLEAN, DETECTION, emptyStore, MODEL, REPAIR, recordOf } from "./fixtures.ts";

/** A store with these trials and files for them. */
async function storeOf(...configs: TrialConfig[]): Promise<ResultStore> {
  const store = await emptyStore();
  for (const config of configs) {
    const record = recordOf(config);
    for (const path of [record.model, record.trigger]) {
      if (path !== null) await writeFile(join(store.folder, path), record.key);
    }
    await store.add(record);
  }
  return store;
}

const NOTHING = { added: 0, same: 0, different: [], damaged: [] };

describe("merging stores", () => {
  test("takes over trials with their files", async () => {
    const [into, from] = [await storeOf(MODEL), await storeOf(CLEAN, DETECTION)];
    expect(await mergeInto(into, from)).toEqual({ ...NOTHING, added: 2 });
    for (const config of [MODEL, CLEAN, DETECTION]) {
      const record = recordOf(config);
      expect(await into.read(record.key)).toEqual(record);
      const path = record.model ?? record.trigger!;
      expect(await readFile(join(into.folder, path), "utf8")).toBe(record.key);
    }
    // Once more changes nothing.
    expect(await mergeInto(into, from)).toEqual({ ...NOTHING, same: 2 });
  });

  test("reports a trial with another outcome, and keeps the one that was there", async () => {
    const [into, from] = [await storeOf(MODEL, REPAIR), await storeOf(MODEL, REPAIR)];
    const other = recordOf(MODEL);
    await from.add({ ...other, outcome: { ...other.outcome, marked: 19 } as typeof other.outcome });
    expect(await mergeInto(into, from)).toEqual({
      ...NOTHING,
      ...{ same: 1, different: [keyOf(MODEL)] },
    });
    expect(await into.read(keyOf(MODEL))).toEqual(other);
  });

  test("calls trials the same that were run at other times, on other machines", async () => {
    const [into, from] = [await storeOf(MODEL), await storeOf(MODEL)];
    const record = recordOf(MODEL);
    const hardware = { ...record.hardware, cpu: "another cpu" };
    await from.add({ ...record, hardware, duration: 99, startedAt: "2026-02-03T00:00:00.000Z" });
    expect(await mergeInto(into, from)).toMatchObject({ same: 1, different: [] });
  });

  test("joins what the two remember of an experiment", async () => {
    const [into, from] = [await storeOf(), await storeOf()];
    const [a, b, c] = [MODEL, REPAIR, CLEAN].map((config) => ({
      key: keyOf(config),
      label: config.kind,
      role: "subject" as const,
      config,
    }));
    await keepPlan(into, { experiment: { name: "grid" }, trials: [a!, b!] });
    await keepPlan(from, { experiment: { name: "grid" }, trials: [b!, c!] });
    await keepPlan(from, { experiment: { name: "other" }, trials: [c!] });
    await mergeInto(into, from);
    const [grid, other] = (await snapshotOf(into)).plans;
    expect(grid!.trials.map(({ key }) => key).sort()).toEqual(
      [a!, b!, c!].map(({ key }) => key).sort(),
    );
    expect(other!.trials).toEqual([c]);
  });

  test("takes over records whose models were not kept", async () => {
    const [into, from] = [await storeOf(), await emptyStore()];
    await from.add(recordOf(MODEL));
    expect(await mergeInto(into, from)).toEqual({ ...NOTHING, added: 1 });
    expect(await into.read(keyOf(MODEL))).toEqual(recordOf(MODEL));
    expect(into.hasModel(keyOf(MODEL))).toBe(false);
  });

  test("mends what is damaged here and whole there", async () => {
    const [into, from] = [await storeOf(MODEL), await storeOf(MODEL)];
    await writeFile(join(into.folder, "trials", `${keyOf(MODEL)}.json`), "{");
    expect(await mergeInto(into, from)).toEqual({ ...NOTHING, added: 1 });
    expect(await into.read(keyOf(MODEL))).toEqual(recordOf(MODEL));
  });

  test("lets nobody's store write outside the own folder", async () => {
    const [into, from] = [await storeOf(), await emptyStore()];
    const record = { ...recordOf(MODEL), model: "../outside.onnx" };
    await writeFile(join(from.folder, "trials", `${record.key}.json`), JSON.stringify(record));
    const { damaged, ...merged } = await mergeInto(into, from);
    expect(damaged).toMatchObject([{ key: record.key, error: { code: "DATA_INVALID" } }]);
    expect(merged).toEqual({ added: 0, same: 0, different: [] });
    expect(existsSync(join(into.folder, "..", "outside.onnx"))).toBe(false);
  });
});
