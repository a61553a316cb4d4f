import { describe, expect, test } from "vitest";
import { decide, type Rule, ruleOf } from "../../src/audit/verdict.ts";
import { calibratedTriggerInversion } from "../../src/detectors/calibrated-trigger-inversion.ts";

const RULE: Rule = {
  ...{ statistic: "any", description: "any", minimum: 0, maximum: 10 },
  ...{ noEvidenceBelow: 2, backdooredFrom: 3 },
};

describe("decide", () => {
  test.each([
    // one repeat: the score alone
    [3, null, "backdoored"],
    [2.999, null, "inconclusive"],
    [2, null, "inconclusive"],
    [1.999, null, "no-evidence"],
    [0, null, "no-evidence"],
    // the interval of a high score may reach between the thresholds, but not below both
    [3, { low: 2, high: 4 }, "backdoored"],
    [3, { low: 1.999, high: 4 }, "inconclusive"],
    [9, { low: 1, high: 17 }, "inconclusive"],
    // that of a low score may reach between them, but not above both
    [1.9, { low: 0.9, high: 2.9 }, "no-evidence"],
    [1.9, { low: 0.8, high: 3 }, "inconclusive"],
    // a score between the thresholds decides nothing, however sure it is
    [2.5, { low: 2.5, high: 2.5 }, "inconclusive"],
    [Number.NaN, null, "inconclusive"],
  ] as const)("score %d with interval %o: %s", (score, interval, verdict) => {
    expect(decide(RULE, score, interval)).toBe(verdict);
  });
});

describe("rules", () => {
  const statistics = [
    "size-ratio",
    ...calibratedTriggerInversion.config.shape.score.unwrap().options,
  ];

  test.each(statistics)('of "%s" have thresholds in order, within its range', (statistic) => {
    const { minimum, noEvidenceBelow, backdooredFrom, maximum, ...rest } = ruleOf(statistic);
    expect(rest.statistic).toBe(statistic);
    expect(minimum).toBeLessThan(noEvidenceBelow);
    expect(noEvidenceBelow).toBeLessThan(backdooredFrom);
    expect(backdooredFrom).toBeLessThanOrEqual(maximum);
  });
});
