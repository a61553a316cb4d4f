import { describe, expect, test } from "vitest";
import { summarise } from "../../src/audit/evidence.ts";
import { proportion, studentQuantile } from "../../src/core/statistics.ts";
import { float32 } from "../../src/core/tensor.ts";
import { additive } from "../../src/data/overlay.ts";
import { type Detection, detection } from "../../src/detectors/detector.ts";

/** A detection with the given score of every class. */
function scored(...scores: number[]): Detection {
  const trigger = additive(float32([1, 1, 1], [0]));
  const half = proportion(5, 10);
  const classes = scores.map((score, target) => ({
    ...{ target, score, found: true, trigger, size: 1, kept: half },
    success: { suspect: half, repaired: half },
  }));
  return detection("any", classes);
}

/** Scores of three repeats of four classes. */
const REPEATS = [
  [3.1, 1.0, 0.8, 1.3],
  [3.9, 1.2, 0.7, 1.1],
  [3.3, 0.9, 1.0, 1.2],
];
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const column = (k: number) => REPEATS.map((row) => row[k]!);

describe("summarise", () => {
  test("pools the variance over classes: 4·(3 − 1) = 8 degrees of freedom", () => {
    const found = summarise(
      REPEATS.map((row) => scored(...row)),
      false,
    );
    const squares = [0, 1, 2, 3].flatMap((k) => column(k).map((x) => (x - mean(column(k))) ** 2));
    const deviation = Math.sqrt(squares.reduce((a, b) => a + b, 0) / 8);
    const reach = (studentQuantile(8) * deviation) / Math.sqrt(3);
    found.forEach(({ target, score, interval, repeats }, k) => {
      expect(target).toBe(k);
      expect(score).toBeCloseTo(mean(column(k)), 12);
      expect(interval!.low).toBeCloseTo(score - reach, 12);
      expect(interval!.high).toBeCloseTo(score + reach, 12);
      expect(repeats).toEqual(column(k));
    });
  });

  test("of ratios, takes deviations in units of the class's mean", () => {
    const found = summarise(
      REPEATS.map((row) => scored(...row)),
      true,
    );
    const squares = [0, 1, 2, 3].flatMap((k) =>
      column(k).map((x) => (x / mean(column(k)) - 1) ** 2),
    );
    const deviation = Math.sqrt(squares.reduce((a, b) => a + b, 0) / 8);
    const reach = (studentQuantile(8) * deviation) / Math.sqrt(3);
    for (const { score, interval } of found) {
      expect(interval!.low).toBeCloseTo(score * (1 - reach), 12);
      expect(interval!.high).toBeCloseTo(score * (1 + reach), 12);
    }
  });

  test("shows the repeat with the highest score", () => {
    const detections = REPEATS.map((row) => scored(...row));
    const found = summarise(detections, true);
    expect(found.map(({ strongest }) => strongest.score)).toEqual([3.9, 1.2, 1.0, 1.3]);
    expect(found[0]!.strongest).toBe(detections[1]!.classes[0]);
  });

  test("gives a class that scores 0 in some repeat a spread of its own", () => {
    const [alone] = summarise([scored(0.2), scored(2.6)], false);
    // One degree of freedom: 12.7 standard errors.
    expect(alone!.interval!.high).toBeCloseTo(1.4 + 12.706 * 1.2, 2);
    const found = summarise([scored(0.2, 0, 0), scored(2.6, 0, 0.5)], false);
    expect(found[0]!.interval).toEqual(alone!.interval);
    expect(found[1]!.interval).toEqual({ low: 0, high: 0 });
    expect(found[2]!.interval!.high).toBeCloseTo(0.25 + 12.706 * 0.25, 2);
  });

  test("knows the repeat in the middle, the lower one of two", () => {
    const typical = (...repeats: number[]) =>
      summarise(
        repeats.map((score) => scored(score, 1)),
        true,
      )[0]!.typical.score;
    expect(typical(3.1, 3.9, 3.3)).toBe(3.3);
    expect(typical(3.9, 3.1)).toBe(3.1);
    expect(typical(2)).toBe(2);
  });

  test("of one repeat knows no interval", () => {
    const found = summarise([scored(2, 1)], true);
    expect(found.map(({ score, interval }) => ({ score, interval }))).toEqual([
      { score: 2, interval: null },
      { score: 1, interval: null },
    ]);
  });

  test("stays finite where every score of a class is 0", () => {
    const found = summarise([scored(0, 1), scored(0, 1.5)], true);
    expect(found[0]).toMatchObject({ score: 0, repeats: [0, 0] });
    const bounds = found.flatMap(({ interval }) => [interval!.low, interval!.high]);
    expect(bounds.every(Number.isFinite)).toBe(true);
    expect(Math.abs(found[0]!.interval!.high)).toBeLessThan(1e-9);
  });
});
