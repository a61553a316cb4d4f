import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { Random } from "../../src/core/random.ts";
import {
  count,
  epochBatches,
  type ImageSet,
  imageAt,
  imageLength,
  toUnitRange,
} from "../../src/data/images.ts";
import { PROCEDURAL_CLASSES, proceduralImages } from "../../src/data/procedural.ts";
import { OUTLINES } from "../../src/data/shapes.ts";
import { bytesOf } from "../support/pixels.ts";

const random = Random.fromSeed(1).fork("procedural");

test("the same pictures on every machine, fewer a prefix of more", () => {
  const set = proceduralImages({ count: 30, random });
  const hash = createHash("sha256").update(bytesOf(set)).digest("hex").slice(0, 12);
  expect(hash).toBe("8ee28adc0c63");
  expect(proceduralImages({ count: 12, random }).images).toEqual(
    set.images.subarray(0, 12 * imageLength(set)),
  );
  expect([...set.labels.subarray(8, 12)]).toEqual([8, 9, 0, 1]);
  expect(set.classNames).toHaveLength(10);
  const other = proceduralImages({ count: 30, random: random.fork("other") });
  expect(other.images).not.toEqual(set.images);
});

test("any size can be drawn", () => {
  const set = proceduralImages({ count: 3, size: 48, random });
  expect(set).toMatchObject({ channels: 3, height: 48, width: 48 });
  expect(set.images).toHaveLength(3 * 3 * 48 * 48);
});

test("distances are negative inside, positive outside, and change by at most what one moves", () => {
  const stream = Random.fromSeed(3);
  for (const name of PROCEDURAL_CLASSES) {
    const outline = OUTLINES[name]!;
    expect(outline(1.3, 1.3), name).toBeGreaterThan(0);
    let inside = 0;
    let steepest = 0;
    for (let i = 0; i < 2000; i++) {
      const [x, y] = [stream.uniform(-1.2, 1.2), stream.uniform(-1.2, 1.2)];
      const [dx, dy] = [stream.uniform(-0.1, 0.1), stream.uniform(-0.1, 0.1)];
      const change = Math.abs(outline(x + dx, y + dy) - outline(x, y));
      steepest = Math.max(steepest, change / Math.hypot(dx, dy));
      if (outline(x, y) < 0) inside++;
    }
    expect(steepest, name).toBeLessThan(1 + 1e-6);
    // No silhouette gives itself away by covering hardly anything or nearly all.
    expect(inside / 2000, name).toBeGreaterThan(0.12);
    expect(inside / 2000, name).toBeLessThan(0.5);
  }
  expect(OUTLINES.ring!(0, 0)).toBeGreaterThan(0);
  expect(OUTLINES.square!(0.78, 0)).toBeCloseTo(0, 12);
  expect(OUTLINES.square!(1.78, 0)).toBeCloseTo(1, 12);
  expect(OUTLINES.triangle!(0, 0.2)).toBeCloseTo(-0.5, 12);
});

test("a linear model on pixels cannot tell the classes apart", () => {
  const train = proceduralImages({ count: 2000, random: random.fork("train") });
  const held = proceduralImages({ count: 500, random: random.fork("test") });
  const weights = softmaxRegression(train, 3, random.fork("regression"));
  // It fits what it is shown better than by chance, so it did learn …
  expect(accuracyOf(weights, train)).toBeGreaterThan(0.2);
  // … but nothing that holds for new pictures (the bound to keep is 60 %).
  expect(accuracyOf(weights, held)).toBeLessThan(0.3);
});

/** Ten rows of weights after some epochs of stochastic gradient descent, one picture a step. */
function softmaxRegression(set: ImageSet, epochs: number, stream: Random): Float32Array[] {
  const pixels = centredPixels(set);
  const weights = set.classNames.map(() => new Float32Array(imageLength(set)));
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const [n] of epochBatches(count(set), 1, epoch, stream)) {
      const scores = scoresOf(weights, pixels[n!]!);
      const largest = Math.max(...scores);
      const exponentials = scores.map((score) => Math.exp(score - largest));
      const sum = exponentials.reduce((total, value) => total + value, 0);
      weights.forEach((row, k) => {
        const slope = exponentials[k]! / sum - (k === set.labels[n!] ? 1 : 0);
        add(row, pixels[n!]!, (-0.002 / (1 + epoch)) * slope);
      });
    }
  }
  return weights;
}

function accuracyOf(weights: Float32Array[], set: ImageSet): number {
  const right = centredPixels(set).filter((image, n) => {
    const scores = scoresOf(weights, image);
    return scores.indexOf(Math.max(...scores)) === set.labels[n];
  });
  return right.length / count(set);
}

function centredPixels(set: ImageSet): Float32Array[] {
  return Array.from(set.labels, (_, n) => toUnitRange(imageAt(set, n)).map((v) => v - 0.45));
}

function scoresOf(weights: Float32Array[], image: Float32Array): number[] {
  return weights.map((row) => {
    let sum = 0;
    for (let i = 0; i < image.length; i++) sum += row[i]! * image[i]!;
    return sum;
  });
}

function add(row: Float32Array, image: Float32Array, scale: number): void {
  for (let i = 0; i < image.length; i++) row[i]! += scale * image[i]!;
}
