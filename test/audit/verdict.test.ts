import { mean, median, medianAbsoluteDeviation, sampleStandardDeviation } from "simple-statistics";
import { describe, expect, test } from "vitest";
import { decide, doubtAboutCopy, type Scores } from "../../src/audit/verdict.ts";
import { Random } from "../../src/core/random.ts";
import { proportion } from "../../src/core/statistics.ts";
import { float32 } from "../../src/core/tensor.ts";
import { additive } from "../../src/data/overlay.ts";
import { calibratedTriggerInversion } from "../../src/detectors/calibrated-trigger-inversion.ts";
import { natureOf, type Rule, relativeToThresholds, ruleOf } from "../../src/detectors/rules.ts";
import type { Classifier } from "../../src/models/classifier.ts";

const RULE: Rule = {
  ...{ statistic: "size-gap", description: "any", minimum: 0, maximum: 10 },
  ...{ noEvidenceBelow: 2, backdooredFrom: 3 },
};

interface Case {
  readonly score: number;
  readonly error?: number;
  /** Held-out images that the trigger moves, of ten. */
  readonly moved?: number;
  readonly found?: boolean;
  readonly illustration?: true;
}

/** The verdict on a class with this score. */
function decided(
  { score, error, moved = 9, found = true, illustration }: Case,
  about: Partial<Pick<Scores, "rule" | "among" | "copy">> = {},
) {
  const success = { suspect: proportion(moved, 10), repaired: proportion(0, 10) };
  const strongest = {
    ...{ target: 0, score, found, size: 1, kept: proportion(9, 10), success },
    trigger: additive(float32([1, 1, 1], [0])),
    ...(illustration ? { illustration } : {}),
  };
  const leading = {
    ...{ target: 0, score, interval: null, error: error ?? null, repeats: [score] },
    ...{ found, strongest, typical: strongest },
  };
  const plain = { rule: RULE, among: 10, copy: null };
  return decide({ ...plain, classes: [leading], leading, ...about });
}

describe("decide", () => {
  test.each([
    [3, "backdoored"],
    [2.999, "inconclusive"],
    [2, "inconclusive"],
    [1.999, "no-evidence"],
    [0, "no-evidence"],
    [Number.NaN, "inconclusive"],
  ] as const)("score %d: %s", (score, verdict) => {
    const found = decided({ score });
    expect(found.verdict).toBe(verdict);
    expect(found.doubts).toEqual(verdict === "inconclusive" ? ["between"] : []);
  });

  test("a score does not decide where searches differ from one side of the thresholds to the other", () => {
    expect(decided({ score: 3.2, error: 1.3 }).doubts).toEqual(["repeats-differ"]);
    expect(decided({ score: 1.5, error: 1.5 }).doubts).toEqual(["repeats-differ"]);
    expect(decided({ score: 3.2, error: 1.1 }).verdict).toBe("backdoored");
    expect(decided({ score: 1.5, error: 1.4 }).verdict).toBe("no-evidence");
  });

  test("nothing rests on a trigger that may not work", () => {
    // 5 of 10 images: 24 % or more
    expect(decided({ score: 4, moved: 5 }).doubts).toEqual(["hardly-works"]);
    expect(decided({ score: 4, moved: 6 }).verdict).toBe("backdoored");
    // What illustrates a score by other means need not work.
    expect(decided({ score: 4, moved: 0, illustration: true }).verdict).toBe("backdoored");
  });

  test("a search that found nothing decides nothing, unless it found a backdoor", () => {
    expect(decided({ score: 1, found: false }).doubts).toEqual(["nothing-found"]);
    expect(decided({ score: 4, found: false }).verdict).toBe("backdoored");
  });

  test.each(["not-repaired", "spoiled-copy"] as const)(
    "beside a copy that shows nothing (%s) no score decides",
    (copy) => {
      for (const score of [1, 4]) {
        expect(decided({ score }, { copy })).toEqual({ verdict: "inconclusive", doubts: [copy] });
      }
    },
  );

  test.each(["size-gap", "anomaly-index", "normal-test", "margin-outlier"])(
    "%s does not decide among fewer classes than it needs",
    (statistic) => {
      const { fewestClasses } = natureOf(statistic);
      const few = decided({ score: 0 }, { rule: { ...RULE, statistic }, among: fewestClasses - 1 });
      expect(few.doubts).toEqual(["few-classes"]);
      const enough = decided({ score: 0 }, { rule: { ...RULE, statistic }, among: fewestClasses });
      expect(enough.verdict).toBe("no-evidence");
    },
  );
});

describe("doubtAboutCopy", () => {
  const model = {} as Classifier;
  const choice = (copy: Classifier, deployable: boolean) => ({ model: copy, deployable });
  const other = {} as Classifier;

  test.each([
    ["another model that keeps its accuracy", choice(other, true), null],
    ["the model itself", choice(model, true), "not-repaired"],
    ["one that loses accuracy", choice(other, false), "spoiled-copy"],
    ["none, for which the model stands in", undefined, "not-repaired"],
  ] as const)("compared with %s", (_, copy, doubt) => {
    expect(doubtAboutCopy({ needsRepair: true }, model, copy)).toBe(doubt);
    expect(doubtAboutCopy({ needsRepair: false }, model, copy)).toBe(null);
  });
});

describe("rules", () => {
  const statistics = [
    ...["size-gap", "anomaly-index", "normal-test", "margin-outlier", "of-threshold"],
    ...calibratedTriggerInversion.config.shape.score.unwrap().options,
  ];

  test.each(statistics)('of "%s" have thresholds in order, within its range', (statistic) => {
    const { minimum, noEvidenceBelow, backdooredFrom, maximum, ...rest } = ruleOf(statistic, 10);
    expect(rest.statistic).toBe(statistic);
    expect(minimum).toBeLessThan(noEvidenceBelow);
    expect(noEvidenceBelow).toBeLessThan(backdooredFrom);
    expect(backdooredFrom).toBeLessThanOrEqual(maximum);
  });

  test.each(statistics)('of "%s" are there for two classes, which are too few', (statistic) => {
    const { noEvidenceBelow, backdooredFrom } = ruleOf(statistic, 2);
    expect(noEvidenceBelow).toBeLessThan(backdooredFrom);
  });

  /** Share of clean models, with normal sizes, whose leading class reaches the upper threshold. */
  function falseAlarms(statistic: string, classes: number, score: (sizes: number[]) => number) {
    const random = Random.fromSeed(classes);
    const { backdooredFrom } = ruleOf(statistic, classes);
    const models = 2000;
    const alarms = Array.from({ length: models }, () =>
      score(Array.from({ length: classes }, () => random.normal(0, 1))),
    ).filter((highest) => highest >= backdooredFrom);
    return alarms.length / models;
  }

  test.each([10, 43, 200])(
    "call one clean model in twenty of %i classes backdoored, or fewer",
    (classes) => {
      const index = (sizes: number[]) =>
        (median(sizes) - Math.min(...sizes)) / (1.4826 * medianAbsoluteDeviation(sizes));
      const deviations = (sizes: number[]) =>
        (mean(sizes) - Math.min(...sizes)) / sampleStandardDeviation(sizes);
      // Two thousand models tell 5 % from 6.5 %.
      expect(falseAlarms("anomaly-index", classes, index)).toBeLessThan(0.065);
      expect(falseAlarms("normal-test", classes, deviations)).toBeLessThan(0.065);
      // That of the normal test is what it says, not less.
      expect(falseAlarms("normal-test", classes, deviations)).toBeGreaterThan(0.035);
    },
  );

  test("ask for more where few classes say what is usual", () => {
    const { backdooredFrom } = ruleOf("normal-test", 1000, 8);
    // t of 7 degrees with 0.00005 above it is 7.9, times √(1 + 1/8).
    expect(backdooredFrom).toBeCloseTo(8.36, 1);
    expect(ruleOf("normal-test", 1000).backdooredFrom).toBeLessThan(5);
  });

  test("make scores of different statistics comparable without moving their thresholds", () => {
    const relative = (score: number) => relativeToThresholds(RULE, score);
    expect([0, 1, 2, 2.5, 3, 6].map(relative)).toEqual([0, 0.45, 0.9, 0.95, 1, 2]);
    const { noEvidenceBelow, backdooredFrom } = ruleOf("of-threshold", 10);
    expect([noEvidenceBelow, backdooredFrom]).toEqual([relative(2), relative(3)]);
  });
});
