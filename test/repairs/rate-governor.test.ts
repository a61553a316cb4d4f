import { expect, test } from "vitest";
import { RateGovernor } from "../../src/repairs/rate-governor.ts";

function after(...agreements: number[]): number {
  const governor = new RateGovernor();
  for (const agreement of agreements) governor.observe(agreement);
  return governor.share;
}
const times = (count: number, value: number) => Array<number>(count).fill(value);

test("the rate starts small and grows to the scheduled one while answers are kept", () => {
  expect(after()).toBe(1 / 32);
  expect(after(1)).toBeCloseTo(1.25 / 32);
  expect(after(...times(30, 0.9))).toBe(1);
});

test("it is cut while answers are being lost, but never to nothing", () => {
  expect(after(...times(30, 1), 0.3)).toBeCloseTo(0.7);
  expect(after(...times(30, 1), 0.3, 0.3)).toBeCloseTo(0.49);
  expect(after(...times(30, 1), ...times(40, 0.1))).toBe(1 / 32);
});

test("it grows again as soon as answers come back", () => {
  const lost = [...times(30, 1), 0.2, 0.2, 0.2, 0.2];
  expect(after(...lost, 0.6)).toBeGreaterThan(after(...lost));
});
