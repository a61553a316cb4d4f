import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chooseDeployable, type JudgedCheckpoint, judge } from "../../src/audit/deploy.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { proportion } from "../../src/core/statistics.ts";
import { float32 } from "../../src/core/tensor.ts";
import { blend, stampOverlay } from "../../src/data/overlay.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { predict } from "../../src/models/predict.ts";
import { openDevice, type ProcessDevice } from "../../src/runtime/process-device.ts";
import { noise, plainNet } from "../support/networks.ts";

let device: ProcessDevice;
let model: Classifier;
beforeAll(async () => {
  device = await openDevice({ name: "cpu", threads: 1 });
  model = await Classifier.fromGraph(plainNet(8), device);
});
afterAll(() => device.close());

/** A checkpoint with `hits` of 100 right and the trigger's success. */
function point(step: number, hits: number, success: number): JudgedCheckpoint {
  return { step, loss: 1, model, accuracy: proportion(hits, 100), success };
}

/** The step of the checkpoint that is chosen. */
function chosen(before: number, ...points: [hits: number, success: number][]) {
  const judged = points.map(([hits, success], i) => point(i + 1, hits, success));
  const choice = chooseDeployable(point(0, before, 1), judged, 0.02);
  return [choice.chosen.step, choice.deployable];
}

describe("the checkpoint to deploy", () => {
  test("is the one with the least success of the trigger among those that keep the accuracy", () => {
    expect(chosen(90, [90, 0.4], [88, 0.2], [87, 0.06])).toEqual([2, true]);
  });

  test("may lose exactly the allowed drop, whatever the rounding", () => {
    for (let before = 3; before <= 100; before++) {
      expect(chosen(before, [before - 2, 0]), `${before}`).toEqual([1, true]);
      expect(chosen(before, [before - 3, 0]), `${before}`).toEqual([1, false]);
    }
  });

  test("is the most accurate one where the trigger is removed, to 5 %, in several", () => {
    expect(chosen(90, [89, 0], [91, 0.05], [90, 0.02])).toEqual([2, true]);
    expect(chosen(90, [89, 0], [91, 0.051])).toEqual([1, true]);
  });

  test("is the latest of equals", () => {
    expect(chosen(90, [90, 0.03], [90, 0.01], [90, 0.05])).toEqual([3, true]);
    expect(chosen(90, [90, 0.3], [90, 0.3])).toEqual([2, true]);
  });

  test("without one that keeps the accuracy is the most accurate, and not deployable", () => {
    expect(chosen(90, [80, 0], [85, 0.5], [85, 0.9], [70, 0])).toEqual([3, false]);
  });

  test("may be better than the suspect", () => {
    expect(chosen(90, [95, 0.2], [92, 0.1])).toEqual([2, true]);
  });
});

describe("judging a checkpoint", () => {
  const heldOut = noise([0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 1, 1]);
  const context = () => ({ device, random: Random.fromSeed(0), emit: silent });

  test("measures accuracy on all images, and success on those of other classes", async () => {
    const pattern = float32([3, 8, 8], new Float32Array(192).fill(1));
    const overlay = blend(pattern, float32([8, 8], new Float32Array(64).fill(0.9)));
    const { classes } = await predict(device, model, heldOut);
    const stamp = (images: Parameters<typeof stampOverlay>[1]) => stampOverlay(overlay, images);
    const stamped = await predict(device, model, heldOut, { stamp });
    const target = stamped.classes[0]!;
    const trigger = { target, overlay, size: 1, reached: true, suspicion: 1 };
    const checkpoint = { step: 7, loss: 0.5, model };
    const { accuracy, success, ...rest } = await judge(context(), checkpoint, heldOut, trigger);
    expect(rest).toEqual(checkpoint);
    const right = classes.filter((c, i) => c === heldOut.labels[i]).length;
    expect(accuracy).toEqual(proportion(right, 12));
    const others = [...heldOut.labels.keys()].filter((i) => heldOut.labels[i] !== target);
    const moved = others.filter((i) => stamped.classes[i] === target).length;
    expect(success).toBe(moved / others.length);
    expect(moved).toBeGreaterThan(0);
  });

  test("without a trigger finds no success", async () => {
    const checkpoint = { step: 0, loss: null, model };
    expect((await judge(context(), checkpoint, heldOut, undefined)).success).toBe(0);
  });
});
