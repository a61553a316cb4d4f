import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { keepPlan, keptPlan, outgrown, planNames } from "../../../src/experiments/grid/plans.ts";
import { rowsOf } from "../../../src/experiments/grid/rows.ts";
import { damagedAmong, snapshotOf, warnOfDamage } from "../../../src/experiments/grid/snapshot.ts";
import { ResultStore } from "../../../src/experiments/grid/store.ts";
import { keyOf, type TrialConfig } from "../../../src/experiments/grid/trial.ts";
import { CLEAN, DETECTION, emptyStore, MODEL, REPAIR, recordOf } from "./fixtures.ts";

const planned = (config: TrialConfig, label: string) => ({
  ...{ key: keyOf(config), label, role: "subject" as const, config },
});
const PLAN = {
  experiment: { name: "grid" },
  trials: [planned(MODEL, "badnets"), planned(REPAIR, "badnets, weight-decay")],
};

describe("the experiments that a store remembers", () => {
  test("are kept by name", async () => {
    const store = await emptyStore();
    expect(await planNames(store)).toEqual([]);
    await keepPlan(store, PLAN);
    await keepPlan(store, { ...PLAN, experiment: { name: "another" } });
    expect(await planNames(store)).toEqual(["another", "grid"]);
    expect(await keptPlan(store, "grid")).toEqual(PLAN);
  });

  test.each([
    ["half of it", '{"experiment"'],
    [
      "a name that leads out of the store",
      JSON.stringify({ ...PLAN, experiment: { name: "../x" } }),
    ],
    [
      "a key that leads out of it",
      JSON.stringify({ ...PLAN, trials: [{ ...PLAN.trials[0], key: "../x" }] }),
    ],
  ])("are refused when damaged: %s", async (_, text) => {
    const store = await emptyStore();
    await mkdir(join(store.folder, "experiments"));
    await writeFile(join(store.folder, "experiments", "grid.json"), text);
    await expect(keptPlan(store, "grid")).rejects.toMatchObject({ code: "DATA_INVALID" });
  });

  test("outgrow trials that are done, and no others, where another of the name takes their place", async () => {
    const store = await emptyStore();
    const none = { again: 0, gone: 0 };
    const other = { ...PLAN, trials: [planned(CLEAN, "clean")] };
    expect(await outgrown(store, PLAN)).toEqual(none);
    await keepPlan(store, PLAN);
    expect(await outgrown(store, other)).toEqual(none);
    await store.add(recordOf(MODEL));
    expect(await outgrown(store, other)).toEqual({ again: 0, gone: 1 });
    expect(await outgrown(store, { ...PLAN, trials: PLAN.trials.slice(0, 1) })).toEqual(none);
    // The same trial with another setting.
    const changed = planned({ ...MODEL, seed: 4 }, "badnets");
    expect(await outgrown(store, { ...PLAN, trials: [changed] })).toEqual({ again: 1, gone: 0 });
  });
});

describe("a snapshot of a store", () => {
  test("has its records, plans, names and failures", async () => {
    const store = await emptyStore();
    for (const config of [MODEL, DETECTION]) await store.add(recordOf(config));
    await keepPlan(store, PLAN);
    const failure = { key: keyOf(REPAIR), code: "DIVERGED", message: "NaN", next: null } as const;
    await store.addFailure(failure);
    const { records, plans, labels, failures, damaged } = await snapshotOf(store);
    expect([...records.keys()]).toEqual(await store.keys());
    expect(plans).toEqual([PLAN]);
    expect(labels.get(keyOf(MODEL))).toBe("badnets");
    expect([...failures.values()]).toEqual([failure]);
    expect(damaged).toEqual([]);
  });

  test("goes without what is damaged, and says so", async () => {
    const store = await emptyStore();
    for (const config of [MODEL, CLEAN]) await store.add(recordOf(config));
    await keepPlan(store, PLAN);
    await keepPlan(store, { ...PLAN, experiment: { name: "cut" } });
    await store.addFailure({ key: keyOf(REPAIR), code: "DIVERGED", message: "NaN", next: null });
    const at = {
      record: join(store.folder, "trials", `${keyOf(MODEL)}.json`),
      plan: join(store.folder, "experiments", "cut.json"),
      failure: join(store.folder, "failed", `${keyOf(REPAIR)}.json`),
    };
    for (const path of Object.values(at)) {
      await writeFile(path, (await readFile(path, "utf8")).slice(0, 40));
    }
    const snapshot = await snapshotOf(store);
    expect([...snapshot.records.keys()]).toEqual([keyOf(CLEAN)]);
    expect(snapshot.plans).toEqual([PLAN]);
    expect(snapshot.failures.size).toBe(0);
    expect(rowsOf(snapshot)).toHaveLength(1);
    expect((await damagedAmong(store, PLAN.trials)).map(({ key }) => key)).toEqual([
      ...[keyOf(MODEL), keyOf(REPAIR)],
    ]);
    const places = snapshot.damaged.map(({ key, error }) => [key, error.place]);
    expect(places).toEqual([
      [null, at.plan],
      [keyOf(MODEL), at.record],
      [keyOf(REPAIR), at.failure],
    ]);
    const warnings: string[] = [];
    warnOfDamage((event) => {
      if (event.kind === "warning") warnings.push(event.message);
    }, snapshot.damaged);
    expect(warnings).toHaveLength(3);
    expect(warnings[1]).toBe(
      `Left out: ${at.record}. The record of a trial cannot be read. It is no JSON. Delete the file and run the experiment again: only this trial is repeated.`,
    );
  });

  test("knows what was tried on a model whose record is damaged, as long as an experiment tells", async () => {
    const store = await emptyStore();
    for (const config of [MODEL, REPAIR]) await store.add(recordOf(config));
    await writeFile(join(store.folder, "trials", `${keyOf(MODEL)}.json`), "");
    expect(rowsOf(await snapshotOf(store))).toEqual([]);
    await keepPlan(store, PLAN);
    expect(rowsOf(await snapshotOf(store))).toMatchObject([
      { kind: "repair", attack: "badnets", poisoned: 20, target: 1 },
    ]);
  });

  test("says what the system does not let it read, and misses nothing that is gone meanwhile", async () => {
    const store = await emptyStore();
    await mkdir(join(store.folder, "experiments", "folder.json"), { recursive: true });
    const { damaged } = await snapshotOf(store);
    expect(damaged.map(({ error }) => error.message)).toEqual([
      "What the store knows of an experiment cannot be read. The system says EISDIR.",
    ]);
    const gone = {
      ...store,
      keys: async () => [keyOf(MODEL)],
      read: (key: string) => store.read(key),
    };
    Object.setPrototypeOf(gone, ResultStore.prototype);
    const { records, damaged: none } = await snapshotOf(gone as unknown as ResultStore);
    expect([records.size, none.length]).toEqual([0, 1]);
  });
});
