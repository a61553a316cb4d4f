import { expect, test } from "vitest";
import { Paces, type TrialWork } from "../../../src/experiments/grid/paces.ts";
import { keyOf, type TrialConfig } from "../../../src/experiments/grid/trial.ts";
import { DETECTION, emptyStore, MODEL, REPAIR, recordOf } from "./fixtures.ts";

const byKey = (...works: TrialWork[]) => new Map(works.map((work) => [keyOf(work.config), work]));
const seeded = <Config extends TrialConfig>(config: Config, seed: number): Config => ({
  ...config,
  seed,
});

test("trials take as long as those that did the same on this machine", async () => {
  const took = (config: TrialConfig, duration: number) => ({ ...recordOf(config), duration });
  const { hardware } = recordOf(MODEL);
  const elsewhere = { ...took(seeded(MODEL, 9), 1e6), hardware: { ...hardware, threads: 64 } };
  const tuned = [0, 1, 2].map((seed) => seeded(REPAIR, seed));
  const store = await emptyStore();
  // During one of the repairs the machine slept.
  const repairs = [20, 1e5, 40].map((duration, at) => took(tuned[at]!, duration));
  for (const record of [took(MODEL, 30), elsewhere, ...repairs]) await store.add(record);
  const nad: TrialConfig = { ...REPAIR, repair: { name: "nad", options: {} } };
  const works = byKey(
    { config: MODEL, amount: 10 },
    { config: seeded(MODEL, 9), amount: 10 },
    ...tuned.map((config) => ({ config, amount: 10 })),
  );
  const paces = await Paces.in(store, works, hardware);
  expect(paces.secondsFor({ config: seeded(MODEL, 5), amount: 20 })).toBe(60);
  expect(paces.secondsFor({ config: seeded(REPAIR, 5), amount: 20 })).toBe(80);
  // Nothing but another repair is known, and no detection at all.
  expect(paces.secondsFor({ config: nad, amount: 5 })).toBe(20);
  expect(paces.secondsFor({ config: DETECTION, amount: 5 })).toBeUndefined();
});

test("trials of another machine tell about how long it takes where there are none of this one", async () => {
  const store = await emptyStore();
  const { hardware } = recordOf(MODEL);
  const elsewhere = { ...hardware, cpu: "another one", cores: 96 };
  await store.add({ ...recordOf(MODEL), duration: 30, hardware: elsewhere });
  await store.add({
    ...recordOf(REPAIR),
    duration: 30,
    hardware: { ...elsewhere, device: "webgpu" },
  });
  const works = byKey({ config: MODEL, amount: 10 }, { config: REPAIR, amount: 10 });
  const paces = await Paces.in(store, works, hardware);
  expect(paces.secondsFor({ config: seeded(MODEL, 5), amount: 20 })).toBe(60);
  // Another kind of device says nothing.
  expect(paces.secondsFor({ config: REPAIR, amount: 10 })).toBeUndefined();
});
