import { describe, expect, test } from "vitest";
import { decide } from "../../src/audit/verdict.ts";
import { calibratedTriggerInversion } from "../../src/detectors/calibrated-trigger-inversion.ts";
import { type Rule, ruleOf } from "../../src/detectors/rules.ts";

const RULE: Rule = {
  ...{ statistic: "any", description: "any", minimum: 0, maximum: 10 },
  ...{ noEvidenceBelow: 2, backdooredFrom: 3 },
};

describe("decide", () => {
  test.each([
    [3, "backdoored"],
    [2.999, "inconclusive"],
    [2, "inconclusive"],
    [1.999, "no-evidence"],
    [0, "no-evidence"],
    [Number.NaN, "inconclusive"],
  ] as const)("score %d: %s", (score, verdict) => {
    expect(decide(RULE, score)).toBe(verdict);
  });
});

describe("rules", () => {
  const statistics = [
    "size-gap",
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
