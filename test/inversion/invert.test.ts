import { describe, expect, test } from "vitest";
import { type InversionPlan, invertTriggers } from "../../src/inversion/invert.ts";
import { smallest } from "../../src/inversion/size-control.ts";
import { additiveFamily } from "../../src/inversion/trigger-family.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { watched } from "../support/contract.ts";
import { testDevice } from "../support/device.ts";
import { noise, plainNet } from "../support/networks.ts";

const device = await testDevice();
const model = await Classifier.fromGraph(plainNet(8), device);
const IMAGES = noise(Array.from({ length: 20 }, (_, i) => i % 5));
const PLAN: InversionPlan = {
  ...{ family: additiveFamily(), steps: 4, images: 4, learningRate: 0.02, classesPerStep: 2 },
  ...{ suspectWeight: 1, repairedWeight: 0, penalty: 0.1 },
};

function search(changes: Partial<InversionPlan>) {
  const { context, events } = watched(device, 0);
  const plan = { ...PLAN, ...changes };
  const found = invertTriggers(context, { suspect: model }, IMAGES, [0, 1, 2], plan, "some search");
  return { found, events };
}

describe("a search whose numbers are no longer finite", () => {
  test("ends at the step whose loss tells, and names its stage", async () => {
    // Squares of what the first step adds are infinite in float32.
    const { found, events } = search({ learningRate: 1e30 });
    await expect(found).rejects.toMatchObject({
      code: "DIVERGED",
      message: "The loss of some search is no longer finite at step 2.",
      place: "some search",
    });
    expect(events).toHaveLength(1);
  });

  test("ends after its last step, which no loss tells about", async () => {
    const { found } = search({ learningRate: 1e39, steps: 1 });
    await expect(found).rejects.toMatchObject({
      code: "DIVERGED",
      message: "The loss of some search is no longer finite at step 1.",
    });
  });
});

test("a penalty that grows for as long as any trigger works stays finite", async () => {
  // Even no trigger works as often as that.
  const control = smallest(0, { weight: 1, factor: 1e10 });
  const { found } = search({ control, steps: 8 });
  for (const { reached, size } of await found) {
    expect(reached).toBe(true);
    expect(size).toBeGreaterThan(0);
  }
});

test("a class starts elsewhere beside other classes, as by another seed", async () => {
  const sizes = async (classesPerStep: number) =>
    (await search({ classesPerStep, steps: 1 }).found).map(({ size }) => size);
  expect(await sizes(3)).toEqual(await sizes(3));
  const [together, alone] = [await sizes(3), await sizes(1)];
  for (const [at, size] of together.entries()) expect(alone[at]).not.toBe(size);
});
