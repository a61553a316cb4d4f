import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { adv } from "../../src/attacks/adv.ts";
import type { Trigger } from "../../src/attacks/attack.ts";
import { Pgd } from "../../src/attacks/pgd.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { ascending, batchTensors } from "../../src/data/images.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { predict } from "../../src/models/predict.ts";
import { testDevice } from "../support/device.ts";
import { noise, plainNet } from "../support/networks.ts";
import { noDevice } from "./no-device.ts";

interface Case {
  readonly towards: number | null;
  readonly side: number;
  readonly change: readonly number[];
}

const { cases } = JSON.parse(
  readFileSync(new URL("goldens/adv.json", import.meta.url), "utf8"),
) as { readonly cases: readonly Case[] };

const device = await testDevice();
const set = noise([0, 1, 4]);
const { images } = batchTensors(set, ascending(3));

describe("projected gradient descent agrees with PyTorch", () => {
  it.each(cases)("towards $towards on a network for $side×$side images", async (expected) => {
    const { towards, side, change } = expected;
    const classifier = await Classifier.fromGraph(plainNet(side), device);
    const pgd = new Pgd({ device }, classifier, set, {
      steps: 4,
      epsilon: 8 / 255,
      stepSize: 2 / 255,
      towards: towards ?? undefined,
    });
    const moved = await pgd.perturb(images);
    await pgd.release();
    const apart = moved.data.map((value, at) => 255 * (value - images.data[at]!) - change[at]!);
    // A sign is decided in float32 here and in float64 there: pixels whose slope is nothing may differ.
    const other = apart.filter((value) => Math.abs(value) > 1e-3).length;
    expect(other).toBeLessThanOrEqual(0.005 * apart.length);
    expect(change.filter((value) => Math.abs(value) > 7).length).toBeGreaterThan(100);
  });
});

describe("adv", () => {
  const context = { device, random: Random.fromSeed(0), emit: silent };
  const input = { geometry: set, classes: 5, target: 1 };

  it("asks for a surrogate", async () => {
    const options = adv.config.parse({});
    expect(adv.needs?.(options)).toEqual(["surrogate"]);
    const alone = { ...context, device: noDevice };
    await expect(adv.run(alone, input, options)).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      place: "surrogate",
    });
  });

  it("refuses a class that the surrogate does not have", async () => {
    const surrogate = await Classifier.fromGraph(plainNet(8), device);
    const options = adv.config.parse({ surrogateClass: 5 });
    await expect(adv.run(context, { ...input, surrogate }, options)).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      place: "surrogateClass",
    });
  });

  it("moves the surrogate from the target towards the class after it, by at most ε", async () => {
    const surrogate = await Classifier.fromGraph(plainNet(8), device);
    const options = adv.config.parse({ steps: 20, epsilon: 0.2, stepSize: 0.02 });
    const trigger = await adv.run(context, { ...input, surrogate }, options);
    const scoreOf = async (stamp?: Trigger["stampTest"]) => {
      const { logits } = await predict(device, surrogate, set, stamp ? { stamp } : {});
      return ascending(3).map((row) => logits[row * 5 + 2]! - logits[row * 5 + 1]!);
    };
    const [before, after] = [await scoreOf(), await scoreOf(trigger.stampTest)];
    after.forEach((score, row) => {
      expect(score).toBeGreaterThan(before[row]!);
    });
    const marked = await trigger.stampTest(images, ascending(3));
    await trigger.release?.();
    const largest = Math.max(...marked.data.map((value, at) => Math.abs(value - images.data[at]!)));
    expect(largest).toBeLessThan(0.2 + 1e-6);
  });
});
