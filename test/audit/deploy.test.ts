import { describe, expect, test } from "vitest";
import { chooseDeployable, type JudgedCheckpoint, judge } from "../../src/audit/deploy.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { pairedDrop, proportion } from "../../src/core/statistics.ts";
import { float32 } from "../../src/core/tensor.ts";
import { blend, stampOverlay } from "../../src/data/overlay.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { predict } from "../../src/models/predict.ts";
import { testDevice } from "../support/device.ts";
import { noise, plainNet } from "../support/networks.ts";

const device = await testDevice();
const model = await Classifier.fromGraph(plainNet(8), device);

/** A checkpoint that is right on the images `right` of 100, and the trigger's success. */
function point(step: number, right: (index: number) => boolean, success: number): JudgedCheckpoint {
  const hits = Float64Array.from({ length: 100 }, (_, index) => (right(index) ? 1 : 0));
  const accuracy = proportion(
    hits.reduce((n, hit) => n + hit, 0),
    100,
  );
  return { step, loss: 1, accuracy, right: hits, seen: hits, success };
}

/** What is chosen if all checkpoints are right on the first images, and wrong on the others. */
function choice(before: number, ...points: [hits: number, success: number][]) {
  const judged = points.map(([hits, success], i) => point(i + 1, (at) => at < hits, success));
  return chooseDeployable(
    point(0, (at) => at < before, 1),
    judged,
    0.02,
  );
}

function chosen(...given: Parameters<typeof choice>) {
  const { chosen: kept, deployable } = choice(...given);
  return [kept.step, deployable];
}

describe("the checkpoint to deploy", () => {
  test("is the one with the least success of the trigger among those that keep the accuracy", () => {
    expect(chosen(90, [90, 0.4], [88, 0.2], [80, 0.06])).toEqual([2, true]);
  });

  test("keeps the accuracy if its drop less a standard error is allowed", () => {
    // 3 lost of 100: 0.03 − √(3 − 0.09)/100 = 0.013 ≤ 0.02; 4 lost: 0.0204.
    expect(chosen(90, [87, 0])).toEqual([1, true]);
    expect(chosen(90, [86, 0])).toEqual([1, false]);
    // The same drop of 4 where 8 were lost and 4 won: 0.04 − √(12 − 0.16)/100 = 0.006.
    const suspect = point(0, (at) => at < 96, 1);
    const churned = point(1, (at) => at >= 8, 0); // 8 lost, 4 won
    expect(chooseDeployable(suspect, [churned], 0.02)).toMatchObject({ deployable: true });
  });

  test("keeps it on the images alone and over their views", () => {
    const suspect = point(0, (at) => at < 90, 1);
    const least = (right: number, seen: number) => {
      const kept = {
        ...point(1, (at) => at < right, 0),
        seen: point(1, (at) => at < seen, 0).seen,
      };
      return chooseDeployable(suspect, [kept], 0.02);
    };
    expect(least(87, 87).deployable).toBe(true);
    expect(least(86, 90).deployable).toBe(false);
    expect(least(90, 86).deployable).toBe(false);
    // What is stated is the drop over all views.
    expect(least(90, 88).drop.value).toBeCloseTo(0.02, 12);
  });

  test("is the latest within a standard error of the best", () => {
    const suspect = point(0, (at) => at < 90, 1);
    const best = point(1, (at) => at < 90, 0);
    const later = point(2, (at) => at >= 2 && at < 91, 0.05); // 2 lost, 1 won: 0.01 − √(3 − 0.01)/100 < 0
    const last = point(3, (at) => at < 88, 0); // 2 lost: 0.02 − √(2 − 0.04)/100 = 0.006
    const judged = [best, later, last];
    expect(chooseDeployable(suspect, judged, 0.02).chosen).toBe(later);
    expect(chosen(90, [90, 0.03], [90, 0.01], [90, 0.05])).toEqual([3, true]);
    expect(chosen(90, [90, 0.3], [90, 0.3])).toEqual([2, true]);
  });

  test("takes a trigger as removed from 5 % on", () => {
    expect(chosen(90, [89, 0], [91, 0.051])).toEqual([1, true]);
  });

  test("without one that keeps the accuracy is the latest of those that lose least, and not deployable", () => {
    expect(chosen(90, [70, 0], [75, 0.5], [75, 0.9], [60, 0])).toEqual([3, false]);
    const suspect = point(0, (at) => at < 90, 1);
    const best = point(1, (at) => at < 75, 0);
    const later = point(2, (at) => at >= 2 && at < 76, 1); // 2 lost, 1 won, as above
    const worse = point(3, (at) => at < 60, 0);
    const choice = chooseDeployable(suspect, [best, later, worse], 0.02);
    expect([choice.chosen.step, choice.deployable]).toEqual([2, false]);
  });

  test("without any is the suspect itself, and not deployable", () => {
    expect(chosen(90)).toEqual([0, false]);
  });

  test("comes with its drop on the same images", () => {
    const { drop } = choice(90, [87, 0]);
    const right = (hits: number) => point(0, (at) => at < hits, 0).right;
    const { value, low, high } = pairedDrop(right(90), right(87));
    expect(drop).toEqual({ value, low, high });
    expect(drop.value).toBeCloseTo(0.03, 12);
  });

  test("is the newest one or what it was before, so that no other model has to be kept", () => {
    const random = Random.fromSeed(7);
    for (let run = 0; run < 40; run++) {
      const draws = random.fork(String(run));
      const drawn = (step: number) => {
        const share = draws.uniform(0.84, 0.93);
        const hits = Array.from({ length: 100 }, () => draws.uniform(0, 1) < share);
        return point(step, (at) => hits[at]!, draws.integer(0, 4) / 20);
      };
      const [suspect, ...checkpoints] = Array.from({ length: 13 }, (_, step) => drawn(step));
      let before = chooseDeployable(suspect!, [], 0.02).chosen;
      for (let end = 1; end <= checkpoints.length; end++) {
        const now = chooseDeployable(suspect!, checkpoints.slice(0, end), 0.02).chosen;
        expect([before, checkpoints[end - 1]]).toContain(now);
        before = now;
      }
    }
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
    const checkpoint = { step: 7, loss: 0.5, model };
    const {
      accuracy,
      right: hits,
      seen,
      success,
      ...rest
    } = await judge(context(), checkpoint, heldOut, { target, stamp });
    expect(rest).toEqual({ step: 7, loss: 0.5 });
    expect(seen).toEqual(hits);
    expect([...hits]).toEqual([...classes].map((c, i) => (c === heldOut.labels[i] ? 1 : 0)));
    const right = hits.reduce((n, hit) => n + hit, 0);
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
