import { describe, expect, test } from "vitest";
import type { z } from "zod";
import { float32 } from "../../src/core/tensor.ts";
import { additive, blend } from "../../src/data/overlay.ts";
import type { SuspectedTrigger } from "../../src/inversion/smallest.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { trainableConstants } from "../../src/models/parameters.ts";
import { REPAIRS } from "../../src/repairs/index.ts";
import { REINSERTED } from "../../src/repairs/options.ts";
import type { Checkpoint, Repair } from "../../src/repairs/repair.ts";
import {
  expectDescribed,
  expectProgress,
  expectRegistryIsFolder,
  sameBits,
  watched,
} from "../support/contract.ts";
import { testDevice } from "../support/device.ts";
import { noise, plainNet } from "../support/networks.ts";
import { recording } from "../support/recording.ts";
import { tinyNet } from "../train/tiny.ts";

const TRUSTED = noise(Array.from({ length: 20 }, (_, i) => i % 5));
/** A white corner, a faint shade, and a shift by less than a pixel. */
const TRIGGERS: readonly SuspectedTrigger[] = [
  {
    ...{ target: 1, family: "masked" as const, size: 4, reached: true },
    ...{ suspicion: 3, gap: 2 },
    trigger: blend(
      float32([3, 8, 8], new Float32Array(192).fill(1)),
      float32(
        [8, 8],
        Float32Array.from({ length: 64 }, (_, at) => (at % 8 < 2 && at < 16 ? 1 : 0)),
      ),
    ),
  },
  {
    ...{ target: 2, family: "additive" as const, size: 1, reached: true },
    ...{ suspicion: 1, gap: 0.5 },
    trigger: additive(float32([3, 8, 8], new Float32Array(192).fill(0.05))),
  },
  {
    ...{ target: 3, family: "warped" as const, size: 0.05, reached: true },
    ...{ suspicion: 2, gap: 1.5 },
    trigger: { kind: "warp", field: float32([2, 8, 8], new Float32Array(128).fill(0.4)) },
  },
];
const SHORT = { steps: 5, checkpointEvery: 2, batchSize: 8, learningRate: 0.01 };

/** What makes a repair short beside that. */
const OWN: Readonly<Record<string, object>> = {
  // So that any mask that has moved cuts its channel off.
  anp: { threshold: 1 },
  // Whether a class stands out or not.
  "backdoor-unlearning": { marginSteps: 3, images: 2, outlier: 1 },
  "margin-unlearning": { marginSteps: 3, images: 2, outlier: 1 },
  nad: { teacherSteps: 3 },
  "neural-cleanse": { triggerSteps: 3 },
};

const device = await testDevice();

test("the registry of repairs lists every repair file under its own name", () => {
  const shared = [
    "attention.ts",
    "channels.ts",
    "fine-tune.ts",
    "index.ts",
    "margin-lesson.ts",
    "options.ts",
    "parameter-distance.ts",
    "plain-tuning.ts",
    "rate-governor.ts",
    "repair.ts",
    "slol.ts",
    "trigger-lesson.ts",
    "tuning-steps.ts",
    "unlearning.ts",
  ];
  expectRegistryIsFolder("repairs", REPAIRS, shared);
});

async function all(checkpoints: AsyncIterable<Checkpoint>): Promise<Checkpoint[]> {
  const found = [];
  for await (const checkpoint of checkpoints) found.push(checkpoint);
  return found;
}

describe.each(Object.values(REPAIRS) as Repair[])("$name", (repair) => {
  const known = (repair.config as z.ZodObject).shape;
  /** Options that the repair does not have are left out. */
  const config = (options: object = {}) => {
    const given = Object.entries({ ...SHORT, ...OWN[repair.name], ...options });
    return repair.config.parse(Object.fromEntries(given.filter(([name]) => name in known)));
  };
  const input = async (graph = tinyNet(8)) => ({
    model: await Classifier.fromGraph(graph, device),
    ...{ trusted: TRUSTED, triggers: TRIGGERS },
  });

  test("has a schema that refuses unknown options and describes every option", () => {
    expectDescribed(repair.config);
  });

  test("declares batch norm that networks without any get by default", () => {
    const { batchNorm } = repair.config.parse({}) as { readonly batchNorm?: string };
    expect(repair.source.deviations.includes(REINSERTED)).toBe(batchNorm === "reinsert");
  });

  test("offers a search at least 20 configurations, its defaults among them", () => {
    const usual = repair.config.parse({}) as Record<string, unknown>;
    const space = Object.entries(repair.space as Record<string, readonly unknown[]>);
    expect(space.reduce((product, [, values]) => product * values.length, 1)).toBeGreaterThan(19);
    for (const [option, values] of space) {
      expect(values, option).toContain(usual[option]);
      for (const value of values) {
        expect(repair.config.safeParse({ [option]: value }).success, `${option} ${value}`).toBe(
          true,
        );
      }
    }
  });

  test("gives checkpoints at the announced steps and after the last one", async () => {
    const { context, events } = watched(device, 0);
    const checkpoints = await all(repair.run(context, await input(), config()));
    expect(checkpoints.map(({ step }) => step)).toEqual([2, 4, 5]);
    expect(checkpoints.every(({ loss }) => Number.isFinite(loss))).toBe(true);
    expectProgress(events);
    const own = events.filter(({ stage }) => stage === repair.name);
    expect(own.at(-1)).toEqual({ kind: "step", stage: repair.name, done: 5, total: 5 });
  });

  test.each([
    ["with batch norm", tinyNet(8), ["live", "frozen"]],
    ["without", plainNet(8), ["live", "reinsert"]],
  ] as const)("changes weights and running statistics alone, %s", async (_, graph, modes) => {
    const given = await input(graph);
    const before = new Map([...given.model.weights].map(([k, v]) => [k, structuredClone(v)]));
    for (const batchNorm of modes) {
      const { context } = watched(device, 0);
      const checkpoints = await all(repair.run(context, given, config({ batchNorm })));
      const { model } = checkpoints.at(-1)!;
      expect(model.graph).toBe(given.model.graph);
      expect(model.preprocessing).toBe(given.model.preprocessing);
      const statistics = [...graph.constants.keys()].filter((name) => name.includes("running"));
      const allowed = trainableConstants(graph);
      expect([...model.changes.keys()].sort()).toEqual(
        [...allowed, ...(batchNorm === "live" && "batchNorm" in known ? statistics : [])].sort(),
      );
      expect(sameBits(model.weights, before)).toBe(false);
    }
    expect(given.model.changes.size).toBe(0);
    expect(sameBits(given.model.weights, before)).toBe(true);
  });

  test("is the same for the same seed, to the last bit, and another for another one", async () => {
    const run = async (seed: number) => {
      const { context } = watched(device, seed);
      const checkpoints = await all(repair.run(context, await input(), config()));
      return checkpoints.at(-1)!.model.changes;
    };
    const [one, same, other] = [await run(1), await run(1), await run(2)];
    expect(sameBits(one, same)).toBe(true);
    expect(sameBits(one, other)).toBe(false);
  });

  test("leaves its images and triggers as they are", async () => {
    const [images, triggers] = structuredClone([TRUSTED.images, TRIGGERS]);
    const { context } = watched(device, 0);
    await all(repair.run(context, await input(), config()));
    expect(TRUSTED.images).toEqual(images);
    expect(TRIGGERS).toEqual(triggers);
  });

  test("stops on request and leaves no program behind", async () => {
    for (const graph of [tinyNet(8), plainNet(8)]) {
      const record = recording(device);
      const { context } = watched(record, 0, true);
      const checkpoints = repair.run(
        context,
        await input(graph),
        config({ batchNorm: "reinsert" }),
      );
      await expect(all(checkpoints)).rejects.toMatchObject({ code: "CANCELLED" });
      expect(record.compiled).toBeGreaterThan(0);
      expect(record.open).toBe(0);
    }
  });

  test("leaves no program behind when nobody wants further checkpoints, or all were taken", async () => {
    const record = recording(device);
    const { context } = watched(record, 0);
    for await (const { step } of repair.run(context, await input(), config())) {
      if (step === 2) break;
    }
    expect(record.open).toBe(0);
    await all(repair.run(context, await input(), config()));
    expect(record.open).toBe(0);
  });

  test("makes its steps in parts within a budget of memory, to about the same weights", async () => {
    const run = async (memory?: number) => {
      const { context, events } = watched(device, 0);
      const checkpoints = await all(
        // Batch norm, and what is worst for a batch or compares its images, would be others.
        repair.run(
          { ...context, memory },
          await input(plainNet(8)),
          config({ batchNorm: "frozen", steps: 2, lambdaS: 0, radius: 0, budget: 1e-6 }),
        ),
      );
      const notes = events.flatMap((event) => (event.kind === "note" ? event.message : []));
      return { checkpoint: checkpoints.at(-1)!, notes };
    };
    const [whole, divided] = [await run(), await run(1)];
    expect(whole.notes.join()).not.toContain("parts");
    expect(divided.notes.join()).toMatch(/each step of \d images is made in \d parts/);
    expect(divided.checkpoint.loss).toBeCloseTo(whole.checkpoint.loss, 3);
    const { changes } = divided.checkpoint.model;
    for (const [name, { data }] of whole.checkpoint.model.changes) {
      const other = changes.get(name)!.data;
      for (let i = 0; i < data.length; i++)
        expect(Number(other[i])).toBeCloseTo(Number(data[i]), 4);
    }
  });

  // Masks stay in [0,1], whatever the rate.
  test.skipIf(repair.name === "anp")("says that it diverges, and where", async () => {
    const record = recording(device);
    const { context } = watched(record, 0);
    const absurd = config({ learningRate: 1e30, batchNorm: "frozen" });
    const checkpoints = repair.run(context, await input(plainNet(8)), absurd);
    await expect(all(checkpoints)).rejects.toMatchObject({
      ...{ code: "DIVERGED", place: expect.stringContaining(repair.name) },
      next: expect.stringContaining("learning rate"),
    });
    expect(record.open).toBe(0);
  });

  test("works with fewer images than a batch has", async () => {
    const { context } = watched(device, 0);
    const few = config({ batchSize: 128, steps: 2 });
    expect(await all(repair.run(context, await input(), few))).toHaveLength(1);
  });
});
