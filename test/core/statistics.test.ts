import { describe, expect, test } from "vitest";
import { proportion, studentQuantile } from "../../src/core/statistics.ts";

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

describe("studentQuantile", () => {
  // t with 97.5 % below it, from tables; 1 % is what the docstring promises, 0.3 % what it keeps.
  test.each([
    [4, 2.7764],
    [5, 2.5706],
    [9, 2.2622],
    [10, 2.2281],
    [18, 2.1009],
    [30, 2.0423],
    [120, 1.9799],
  ])("of %i degrees of freedom is %f", (freedom, expected) => {
    expect(Math.abs(studentQuantile(freedom) / expected - 1)).toBeLessThan(0.003);
  });

  test("approaches the normal quantile from above", () => {
    expect(studentQuantile(1e9)).toBeCloseTo(1.959964, 6);
    for (let freedom = 1; freedom < 100; freedom++) {
      expect(studentQuantile(freedom)).toBeGreaterThan(studentQuantile(freedom + 1));
    }
  });
});
