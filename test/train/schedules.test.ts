import { describe, expect, it } from "vitest";
import { SCHEDULES } from "../../src/train/schedules.ts";
import { golden } from "./fill.ts";

type Rates = Record<string, number[]>;
const expected = golden<{ peak: number; "one-cycle": Rates; cosine: Rates }>("schedules");

describe("schedules", () => {
  it.each(["one-cycle", "cosine"] as const)("%s agrees with PyTorch", (name) => {
    for (const [total, rates] of Object.entries(expected[name])) {
      const schedule = SCHEDULES[name](expected.peak, Number(total));
      rates.forEach((rate, step) => {
        expect(schedule(step)).toBeCloseTo(rate, 8);
      });
    }
  });

  it.each(Object.entries(SCHEDULES))(
    "%s gives finite, positive rates for the shortest runs",
    (_, make) => {
      for (const total of [1, 2, 3, 4, 5]) {
        const schedule = make(0.1, total);
        for (let step = 0; step < total; step++) {
          expect(schedule(step)).toBeGreaterThan(0);
          expect(schedule(step)).toBeLessThanOrEqual(0.1);
        }
      }
    },
  );
});
