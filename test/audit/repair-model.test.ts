import { describe, expect, test } from "vitest";
import { z } from "zod";
import { repairModel } from "../../src/audit/repair-model.ts";
import { AntidoteError } from "../../src/core/errors.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
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

const repaired = (method: Repair) =>
  repairModel(
    { device, random: Random.fromSeed(0), emit: silent },
    { model, tuning: IMAGES, heldOut: IMAGES },
    [],
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

test("any other failure of a repair ends the run", async () => {
  await expect(repaired(failing("RUNTIME_CRASHED", 10))).rejects.toMatchObject({
    code: "RUNTIME_CRASHED",
  });
});
