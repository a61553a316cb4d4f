import { expect, test } from "vitest";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { stampTrigger } from "../../src/data/fixed-trigger.ts";
import { imagesOfOthers } from "../../src/detectors/measure.ts";
import { searchStrongestTrigger } from "../../src/inversion/strongest.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { predict } from "../../src/models/predict.ts";
import { testDevice } from "../support/device.ts";
import { noise, plainNet } from "../support/networks.ts";

const IMAGES = noise(Array.from({ length: 40 }, (_, i) => i % 5));
const FAMILIES = ["masked", "smooth", "additive"] as const;

const device = await testDevice();
const model = await Classifier.fromGraph(plainNet(8), device);

async function search(family: (typeof FAMILIES)[number], target: number, budget: number) {
  const context = { device, random: Random.fromSeed(0), emit: silent };
  const found = await searchStrongestTrigger(context, model, IMAGES, { family, target, budget });
  const { classes } = await predict(device, model, imagesOfOthers(IMAGES, target), {
    stamp: (images) => stampTrigger(found.trigger, images),
  });
  return { found, success: classes.filter((c) => c === target).length / classes.length };
}

test.each(FAMILIES)(
  "a %s trigger stays within its size, and a larger one works more often",
  async (family) => {
    const { classes } = await predict(device, model, IMAGES);
    const rare = [0, 1, 2, 3, 4].find((c) => !classes.includes(c))!;
    const [small, large] = [await search(family, rare, 1), await search(family, rare, 12)];
    for (const [{ found }, budget] of [
      [small, 1],
      [large, 12],
    ] as const) {
      expect(found).toMatchObject({ family, target: rare, reached: true });
      expect(found.size).toBeLessThanOrEqual(budget);
    }
    expect(large.found.size).toBeGreaterThan(small.found.size);
    expect(large.success).toBeGreaterThanOrEqual(small.success);
  },
);
