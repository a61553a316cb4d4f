import { describe, expect, test } from "vitest";
import { Random } from "../../src/core/random.ts";
import {
  meanWithInterval,
  pairedDrop,
  proportion,
  studentQuantile,
  studentTail,
} from "../../src/core/statistics.ts";

describe("proportion", () => {
  // R. G. Newcombe, Statistics in Medicine 17 (1998), Table I, method 3.
  test.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])("%i of %i lies in [%f, %f]", (hits, count, low, high) => {
    const result = proportion(hits, count);
    expect(result.value).toBe(hits / count);
    expect(result.count).toBe(count);
    expect(result.low).toBeCloseTo(low, 4);
    expect(result.high).toBeCloseTo(high, 4);
  });

  test("always contains its value and stays within [0,1]", () => {
    for (let count = 1; count < 200; count++) {
      for (const hits of [0, 1, count >> 1, count]) {
        const { value, low, high } = proportion(hits, count);
        expect(low).toBeLessThanOrEqual(value);
        expect(high).toBeGreaterThanOrEqual(value);
        expect(low).toBeGreaterThanOrEqual(0);
        expect(high).toBeLessThanOrEqual(1);
      }
    }
  });

  test("refuses what is not a share", () => {
    expect(() => proportion(1, 0)).toThrow("1 of 0");
    expect(() => proportion(11, 10)).toThrow("11 of 10");
    expect(() => proportion(-1, 10)).toThrow("-1 of 10");
  });
});

describe("pairedDrop", () => {
  /** Of n images, `lost` were right before only, `won` after only, and `kept` both times. */
  const measured = (n: number, kept: number, lost: number, won: number) => {
    const at = (from: number, to: number) => (i: number) => (i >= from && i < to ? 1 : 0);
    const rows = Array.from({ length: n }, (_, i) => i);
    const both = rows.map(at(0, kept));
    const before = rows.map((i) => both[i]! + at(kept, kept + lost)(i));
    const after = rows.map((i) => both[i]! + at(kept + lost, kept + lost + won)(i));
    return pairedDrop(before, after);
  };

  test("counts the images that changed: p = (b − c)/n, s = √(b + c − (b − c)²/n)/n", () => {
    const { value, error, low, high } = measured(100, 60, 15, 5);
    expect(value).toBeCloseTo(0.1, 12);
    expect(error).toBeCloseTo(Math.sqrt(20 - 1) / 100, 12);
    // One image more that is lost, and one that is won: 10 of 102, √(22 − 100/102)/102.
    const reach = (1.96 * Math.sqrt(22 - 100 / 102)) / 102;
    expect(low).toBeCloseTo(10 / 102 - reach, 4);
    expect(high).toBeCloseTo(10 / 102 + reach, 4);
  });

  test("takes shares of several looks at an image", () => {
    // Losses of ½, 0 and −¼: Σd = ¼, Σd² = 5/16.
    const { value, error } = pairedDrop([1, 0.5, 0.25], [0.5, 0.5, 0.5]);
    expect(value).toBeCloseTo(0.25 / 3, 12);
    expect(error).toBeCloseTo(Math.sqrt(5 / 16 - 1 / 48) / 3, 12);
    // All alike: nothing is left to be unsure of, rounding aside.
    expect(pairedDrop([0.3, 0.3, 0.3], [0.2, 0.2, 0.2]).error).toBeCloseTo(0, 7);
  });

  test("is not sure of nothing having changed where no image did", () => {
    const { value, error, low, high } = measured(50, 40, 0, 0);
    expect([value, error]).toEqual([0, 0]);
    expect(high).toBeCloseTo((1.96 * Math.SQRT2) / 52, 4);
    expect(low).toBe(-high);
  });

  test("has an interval that holds the true drop about as often as it says, of few images, too", () => {
    const random = Random.fromSeed(3);
    // 2 % lost and nothing gained, of 100 images; by errors of the sample alone it would be 86 %.
    const runs = 2000;
    const held = Array.from({ length: runs }, () => {
      const before = Array.from({ length: 100 }, () => 1);
      const after = before.map(() => Number(!random.chance(0.02)));
      const { low, high } = pairedDrop(before, after);
      return low <= 0.02 && 0.02 <= high;
    }).filter(Boolean).length;
    expect(held / runs).toBeGreaterThan(0.93);
  });

  test("is negative where more was won than lost", () => {
    expect(measured(50, 30, 2, 6).value).toBeCloseTo(-0.08, 12);
  });

  test("refuses measurements of different images", () => {
    expect(() => pairedDrop([1, 0], [1])).toThrow("same images");
    expect(() => pairedDrop([], [])).toThrow("same images");
  });
});

describe("meanWithInterval", () => {
  const shares = [0, 1] as const;

  test("is Student's", () => {
    // R: t.test(c(0.2, 0.5, 0.6))
    const { value, low, high } = meanWithInterval([0.2, 0.5, 0.6], [-1, 1]);
    expect(value).toBeCloseTo(0.43333, 5);
    expect([low, high].map((end) => end.toFixed(4))).toEqual(["-0.0838", "0.9504"]);
  });

  test("stays within what there can be, which is all that one value tells", () => {
    expect(meanWithInterval([0.9, 1, 0.7], shares).high).toBe(1);
    expect(meanWithInterval([0.3], shares)).toEqual({ value: 0.3, low: 0, high: 1 });
    expect(() => meanWithInterval([], shares)).toThrow("needs values");
  });
});

describe("studentQuantile", () => {
  // t with 97.5 % below it, from tables.
  test.each([
    [1, 12.7062],
    [2, 4.3027],
    [4, 2.7764],
    [5, 2.5706],
    [9, 2.2622],
    [10, 2.2281],
    [18, 2.1009],
    [30, 2.0423],
    [120, 1.9799],
  ])("of %i degrees of freedom is %f", (freedom, expected) => {
    expect(studentQuantile(freedom)).toBeCloseTo(expected, 4);
  });

  test("approaches the normal quantile from above", () => {
    expect(studentQuantile(1e5)).toBeCloseTo(1.959988, 6);
    for (let freedom = 1; freedom < 100; freedom++) {
      expect(studentQuantile(freedom)).toBeGreaterThan(studentQuantile(freedom + 1));
    }
  });
});

describe("Student's tail", () => {
  // By integrating the density numerically.
  test.each([
    [0, 1, 0.5],
    [1, 1, 0.25],
    [2.5, 2, 0.0648058601],
    [1.3, 3, 0.1422337544],
    [3, 8, 0.0085358406],
    [-1.3, 3, 0.8577662456],
    [4.2, 9, 0.0011533463],
    [2, 30, 0.0273125225],
  ])("P(T > %d) with %d degrees of freedom", (t, freedom, expected) => {
    expect(studentTail(t, freedom)).toBeCloseTo(expected, 9);
  });
});
