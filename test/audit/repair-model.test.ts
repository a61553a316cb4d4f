import { describe, expect, test } from "vitest";
import { z } from "zod";
import { repairModel } from "../../src/audit/repair-model.ts";
import { AntidoteError } from "../../src/core/errors.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { float32 } from "../../src/core/tensor.ts";
import { additive } from "../../src/data/overlay.ts";
import type { SuspectedTrigger } from "../../src/inversion/smallest.ts";
import { Classifier } from "../../src/models/classifier.ts";
import type { Checkpoint, Repair } from "../../src/repairs/repair.ts";
import { testDevice } from "../support/device.ts";
import { noise, plainNet } from "../support/networks.ts";

const device = await testDevice();
const model = await Classifier.fromGraph(plainNet(8), device);

const IMAGES = noise([0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);

/** A repair that yields the suspect itself after these steps, and then fails. */
function failing(code: "DIVERGED" | "RUNTIME_CRASHED", ...steps: number[]): Repair {
  return {
    name: "failing",
    summary: "fails",
    source: { paper: "", authors: "", year: 2026, section: "", deviations: [] },
    config: z.strictObject({}),
    space: {},
    async *run(_, input): AsyncGenerator<Checkpoint> {
      for (const step of steps) yield { step, loss: 1, model: input.model };
      throw new AntidoteError(code, "The loss is no longer finite.", {
        next: "Lower its learning rate.",
      });
    },
  };
}

/** A trigger that is as many times smaller than any other class's as `gap` says. */
function shade(target: number, suspicion: number, gap: number): SuspectedTrigger {
  const trigger = additive(float32([3, 8, 8], new Float32Array(192).fill(0.3)));
  return { target, family: "additive", trigger, size: 1, reached: true, suspicion, gap };
}

const repaired = (method: Repair, triggers: readonly SuspectedTrigger[] = []) =>
  repairModel(
    { device, random: Random.fromSeed(0), emit: silent },
    { model, tuning: IMAGES, heldOut: IMAGES },
    triggers,
    { method, config: {} },
    0.02,
  );

describe("a repair that diverges", () => {
  test("keeps what it yielded before, and says why it ended", async () => {
    const { chosen, checkpoints, deployable, stopped } = await repaired(
      failing("DIVERGED", 10, 20),
    );
    expect(checkpoints.map(({ step }) => step)).toEqual([10, 20]);
    expect(chosen.step).toBe(20);
    expect(deployable).toBe(true);
    expect(stopped).toBe("The loss is no longer finite. Lower its learning rate.");
  });

  test("before its first checkpoint leaves the suspect, which is not deployable", async () => {
    const { chosen, checkpoints, deployable, drop } = await repaired(failing("DIVERGED"));
    expect(checkpoints).toEqual([]);
    expect(chosen.step).toBe(0);
    expect(deployable).toBe(false);
    expect(drop).toEqual({ value: 0, low: 0, high: 0 });
  });
});

describe("the trigger that judges checkpoints", () => {
  test("is the most suspicious one that stands out, not a natural one that is more suspicious", async () => {
    const planted = shade(1, 3, 2);
    const triggers = [shade(2, 9, 1.1), shade(3, 2, 1.5), planted];
    expect((await repaired(failing("DIVERGED", 1), triggers)).probe).toBe(planted);
  });

  test("is none where none stands out", async () => {
    const natural = [shade(2, 9, 1.1), shade(3, 2, 1)];
    const { probe, checkpoints } = await repaired(failing("DIVERGED", 1), natural);
    expect(probe).toBeNull();
    expect(checkpoints[0]!.success).toBe(0);
  });
});

test("a witness sees the model of every checkpoint, of which that of the choice is kept", async () => {
  const models = [model, await Classifier.fromGraph(plainNet(8), device)];
  const two: Repair = {
    ...failing("DIVERGED"),
    async *run(): AsyncGenerator<Checkpoint> {
      yield* models.map((each, at) => ({ step: at + 1, loss: 1, model: each }));
    },
  };
  const seen: Classifier[] = [];
  const outcome = await repairModel(
    { device, random: Random.fromSeed(0), emit: silent },
    { model, tuning: IMAGES, heldOut: IMAGES },
    [],
    { method: two, config: {} },
    0.02,
    async (each) => void seen.push(each),
  );
  expect(seen.map((each) => models.indexOf(each))).toEqual([0, 1]);
  expect(outcome.model).toBe(models[outcome.chosen.step - 1]);
});

test("any other failure of a repair ends the run", async () => {
  await expect(repaired(failing("RUNTIME_CRASHED", 10))).rejects.toMatchObject({
    code: "RUNTIME_CRASHED",
  });
});
