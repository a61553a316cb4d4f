import { describe, expect, test } from "vitest";
import { openJury, viewsFor } from "../../src/audit/jury.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { predict } from "../../src/models/predict.ts";
import { testDevice } from "../support/device.ts";
import { flatNet, noise, plainNet } from "../support/networks.ts";

const device = await testDevice();
const context = (seed = 0) => ({ device, random: Random.fromSeed(seed), emit: silent });
/** A bright block in one colour somewhere on black: what a network that reads pixels says of it depends on where it is. */
const IMAGES = (() => {
  const set = noise(Array.from({ length: 40 }, () => 0));
  const random = Random.fromSeed(3);
  const images = new Uint8Array(40 * 192);
  for (let row = 0; row < 40; row++) {
    const [channel, y, x] = [3, 6, 6].map((most) => random.integer(0, most)) as [
      number,
      number,
      number,
    ];
    for (const [down, right] of [
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ] as const) {
      images[row * 192 + channel * 64 + (y + down) * 8 + x + right] = 255;
    }
  }
  return { ...set, images };
})();

/** Images of which the network is right on the first so many, and on most others wrong. */
async function rightOn(model: Classifier, first: number) {
  const { classes } = await predict(device, model, IMAGES);
  return { ...IMAGES, labels: classes.map((said, at) => (at < first ? said : (said + 1) % 5)) };
}

describe("a jury", () => {
  test("looks at sixteen views, and at fewer of many images", () => {
    expect([20, 100, 101, 400, 1000, 5000].map(viewsFor)).toEqual([16, 16, 15, 4, 1, 1]);
  });

  test("counts the share of the views that are right, the same for all checkpoints", async () => {
    // Right on few images, so that it is right on others as often by chance.
    const model = await Classifier.fromGraph(flatNet(8), device);
    const heldOut = await rightOn(model, 4);
    const jury = await openJury(context(), model, heldOut, undefined);
    expect(jury.views).toBe(16);
    expect(jury.suspect).toMatchObject({ step: 0, loss: null, success: 0 });
    expect(jury.suspect.accuracy.value).toBe(0.1);
    const shares = [...jury.suspect.seen];
    expect(shares.every((share) => Number.isInteger(16 * share))).toBe(true);
    expect(new Set(shares).size).toBeGreaterThan(3);
    // The image itself is one of its views.
    expect(Math.min(...shares.slice(0, 4))).toBeGreaterThan(0);
    const again = await jury.judge(context(1), { step: 5, loss: 1, model });
    expect(again).toEqual({ ...jury.suspect, step: 5, loss: 1 });
    const other = await openJury(context(2), model, heldOut, undefined);
    expect(other.suspect.seen).not.toEqual(jury.suspect.seen);
    expect(other.suspect.right).toEqual(jury.suspect.right);
  });

  test("looks at the images alone where the suspect is wrong on their views", async () => {
    // It reads single pixels: moved or mirrored, an image is another one.
    const strict = await Classifier.fromGraph(flatNet(8), device);
    const alone = await openJury(context(), strict, await rightOn(strict, 36), undefined);
    expect(alone.views).toBe(1);
    expect(alone.suspect.seen).toEqual(alone.suspect.right);
    expect(alone.suspect.right.filter((share) => share === 1)).toHaveLength(36);
    // It adds up what it sees, wherever that is.
    const tolerant = await Classifier.fromGraph(plainNet(8), device);
    const { views } = await openJury(context(), tolerant, await rightOn(tolerant, 36), undefined);
    expect(views).toBe(16);
  });
});
