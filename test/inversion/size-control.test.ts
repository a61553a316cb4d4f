import { describe, expect, test } from "vitest";
import {
  type Seen,
  smallest,
  smallestPatiently,
  strongest,
} from "../../src/inversion/size-control.ts";

const PACE = { weight: 0.02, factor: 1.3 };

describe("the smallest trigger that works", () => {
  const { weight, adaptation, merit } = smallest(0.9, PACE);

  const [works, fails] = [
    { success: 0, average: 0.9, size: 5 },
    { success: 1, average: 0.89, size: 5 },
  ];

  test("is penalised more as long as it works, and less while it does not", () => {
    const next = adaptation();
    expect([weight, next(1, works)]).toEqual([0.02, 0.02]);
    expect(next(1, works)).toBe(1.3);
    expect(next(1, fails)).toBe(1 / 1.3);
    expect(next(1, works)).toBe(1.3);
  });

  test("is penalised as at the start when it works for the first time, however long that took", () => {
    const next = adaptation();
    let now = weight;
    for (let step = 0; step < 20; step++) now = next(now, fails);
    expect(now).toBeLessThan(weight / 100);
    expect(next(now, works)).toBe(weight);
  });

  test("must work in the last batch and on average, and the smaller the better", () => {
    expect(merit({ success: 0.9, average: 0.9, size: 5 })).toBe(-5);
    expect(merit({ success: 0.89, average: 1, size: 5 })).toBeUndefined();
    expect(merit({ success: 1, average: 0.89, size: 5 })).toBeUndefined();
  });
});

describe("the patient schedule of Neural Cleanse", () => {
  const works: Seen = { success: 1, average: 0.99, size: 5 };
  const fails: Seen = { success: 1, average: 0.98, size: 5 };
  const weightAfter = (start: number, seen: readonly Seen[]) => {
    const next = smallestPatiently(0.99).adaptation();
    return seen.reduce((weight, step) => next(weight, step), start);
  };
  const times = (n: number, seen: Seen) => Array.from({ length: n }, () => seen);

  test("begins when a trigger has worked five times in a row", () => {
    expect(smallestPatiently(0.99).weight).toBe(0);
    expect(weightAfter(0, times(4, works))).toBe(0);
    expect(weightAfter(0, [...times(4, works), fails, ...times(4, works)])).toBe(0);
    expect(weightAfter(0, times(5, works))).toBe(1e-3);
    expect(weightAfter(0, times(20, fails))).toBe(0);
  });

  test("then doubles after five successes and falls after five failures", () => {
    expect(weightAfter(1, times(9, works))).toBe(2);
    expect(weightAfter(1, times(10, works))).toBe(4);
    expect(weightAfter(1, times(5, fails))).toBeCloseTo(2 ** -1.5, 12);
    expect(weightAfter(1, [...times(4, fails), works, ...times(4, fails)])).toBe(1);
  });
});

describe("the strongest trigger of a size", () => {
  const { weight, adaptation, merit } = strongest(5, PACE);

  test("is penalised more as long as it is too large", () => {
    expect(weight).toBe(0.02);
    expect(adaptation()(1, { success: 1, average: 1, size: 5 })).toBe(1 / 1.3);
    expect(adaptation()(1, { success: 0, average: 0, size: 5.1 })).toBe(1.3);
  });

  test("must be small enough, and the more often it works the better", () => {
    expect(merit({ success: 0, average: 0.7, size: 5 })).toBe(0.7);
    expect(merit({ success: 1, average: 1, size: 5.1 })).toBeUndefined();
  });
});
