import { describe, expect, test } from "vitest";
import { smallest, strongest } from "../../src/inversion/size-control.ts";

const ADAPTATION = { weight: 0.02, factor: 1.3 };

describe("the smallest trigger that works", () => {
  const { presses, merit, ...adaptation } = smallest(0.9, ADAPTATION);

  test("is penalised more as long as it works", () => {
    expect(adaptation).toEqual(ADAPTATION);
    expect(presses({ success: 0, average: 0.9, size: 5 })).toBe(true);
    expect(presses({ success: 1, average: 0.89, size: 5 })).toBe(false);
  });

  test("must work in the last batch and on average, and the smaller the better", () => {
    expect(merit({ success: 0.9, average: 0.9, size: 5 })).toBe(-5);
    expect(merit({ success: 0.89, average: 1, size: 5 })).toBeUndefined();
    expect(merit({ success: 1, average: 0.89, size: 5 })).toBeUndefined();
  });
});

describe("the strongest trigger of a size", () => {
  const { presses, merit, ...adaptation } = strongest(5, ADAPTATION);

  test("is penalised more as long as it is too large", () => {
    expect(adaptation).toEqual(ADAPTATION);
    expect(presses({ success: 1, average: 1, size: 5 })).toBe(false);
    expect(presses({ success: 0, average: 0, size: 5.1 })).toBe(true);
  });

  test("must be small enough, and the more often it works the better", () => {
    expect(merit({ success: 0, average: 0.7, size: 5 })).toBe(0.7);
    expect(merit({ success: 1, average: 1, size: 5.1 })).toBeUndefined();
  });
});
