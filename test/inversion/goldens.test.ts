import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { silent } from "../../src/core/progress.ts";
import { type FloatTensor, float32, type Tensor } from "../../src/core/tensor.ts";
import { type InversionPlan, invertTriggers } from "../../src/inversion/invert.ts";
import { smallest } from "../../src/inversion/size-control.ts";
import {
  additiveFamily,
  maskedFamily,
  type TriggerFamily,
} from "../../src/inversion/trigger-family.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { testDevice } from "../support/device.ts";
import { inOrder } from "../support/in-order.ts";
import { noise, plainNet } from "../support/networks.ts";
import { recording } from "../support/recording.ts";
import { fill } from "../train/fill.ts";
import { tinyNet } from "../train/tiny.ts";

interface Case extends Pick<InversionPlan, "suspectWeight" | "repairedWeight" | "learningRate"> {
  readonly family: "additive" | "masked";
  readonly shrink: Readonly<Record<"weight" | "factor" | "success", number>> | null;
  /** Of the suspect's last layer. */
  readonly bias: readonly number[];
  readonly steps: readonly {
    readonly loss: number;
    readonly parameters: Readonly<Record<string, readonly number[]>>;
  }[];
}
const { cases } = JSON.parse(
  readFileSync(new URL("goldens/inversion.json", import.meta.url), "utf8"),
) as { readonly cases: readonly Case[] };

const SIDE = 8;
const TARGETS = [1, 3];
const IMAGES = noise(Array.from({ length: 24 }, (_, i) => (i * i) % 5));
// PyTorch's values are float64, ours float32.
const LOSS_TOLERANCE = 5e-6;
/** Adam divides by the slope's own size: where that is 1e-7, rounding moves a hundredth of a step. */
const STEP_TOLERANCE = 0.01;

const device = await testDevice();

const mapped = (value: FloatTensor, change: (v: number) => number) =>
  float32(value.shape, value.data.map(change));

/** The start values of `goldens/generate.py`. */
const STARTS = {
  additive: () =>
    new Map([["trigger", mapped(fill(11, [2, 3, SIDE, SIDE]), (v) => (v + 1) * 0.1)]]),
  masked: () =>
    new Map([
      ["mask", mapped(fill(12, [2, 1, SIDE, SIDE]), (v) => v - 1)],
      ["pattern", fill(13, [2, 3, SIDE, SIDE])],
    ]),
};

test.each(cases.map((it) => [it.family, it.suspectWeight, it.repairedWeight, it] as const))(
  "steps of Adam on a trigger agree with PyTorch: %s, weights %d and %d",
  async (name, suspectWeight, repairedWeight, { steps, shrink, bias, learningRate }) => {
    const tiny = await Classifier.fromGraph(tinyNet(SIDE), device);
    const suspect = tiny.withWeights(new Map([["fc.bias", float32([5], bias)]]));
    const repaired = await Classifier.fromGraph(plainNet(SIDE), device);
    let found: ReadonlyMap<string, Tensor> = new Map();
    const base = { additive: additiveFamily(), masked: maskedFamily() }[name];
    const family: TriggerFamily = {
      ...base,
      start: STARTS[name],
      trigger(values, m, geometry) {
        found = values;
        return base.trigger(values, m, geometry);
      },
    };
    for (let count = 1; count <= steps.length; count++) {
      const record = recording(device);
      const plan: InversionPlan = {
        ...{ family, steps: count, images: 4, classesPerStep: 2 },
        ...{ suspectWeight, repairedWeight, learningRate },
        ...(shrink ? { control: smallest(shrink.success, shrink) } : {}),
      };
      const context = { device: record, random: inOrder(), emit: silent };
      await invertTriggers(context, { suspect, repaired }, IMAGES, TARGETS, plan);
      const { loss, parameters } = steps[count - 1]!;
      expect(Math.abs(record.losses.at(-1)! - loss)).toBeLessThan(LOSS_TOLERANCE);
      // What is kept is the smallest trigger that worked; without `shrink` it is the last one.
      if (shrink) continue;
      for (const [parameter, values] of Object.entries(parameters)) {
        const ours = found.get(parameter)!.data as Float32Array;
        const apart = ours.map((v, i) => Math.abs(v - values[i]!));
        expect(Math.max(...apart), parameter).toBeLessThan(STEP_TOLERANCE * learningRate);
      }
    }
  },
);
