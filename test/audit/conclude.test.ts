import { expect, test } from "vitest";
import { conclude } from "../../src/audit/conclude.ts";
import { proportion } from "../../src/core/statistics.ts";
import { float32 } from "../../src/core/tensor.ts";
import { additive } from "../../src/data/overlay.ts";
import { detection } from "../../src/detectors/detector.ts";
import { ruleOf } from "../../src/detectors/rules.ts";

const RULE = ruleOf("size-gap", 3);

/** A detection of classes with a score each; null is a class for which nothing was found. */
function detected(...scores: (number | null)[]) {
  const trigger = additive(float32([1, 1, 1], [0]));
  const most = proportion(9, 10);
  const classes = scores.map((score, target) => ({
    ...{ target, score: score ?? 0, found: score !== null, trigger, size: 1, kept: most },
    success: { suspect: most, repaired: most },
  }));
  return detection(RULE.statistic, classes);
}

test("the verdict is that of the class with the highest mean score", () => {
  const high = RULE.backdooredFrom + 1;
  const { verdict, leading, classes } = conclude([detected(1, high, 0.5), detected(1, high, 0.7)]);
  expect(verdict).toBe("backdoored");
  expect(leading.target).toBe(1);
  expect(classes.map(({ score }) => score)).toEqual([1, high, 0.6]);
});

test("without evidence it is no-evidence only if every class was reached in some repeat", () => {
  expect(conclude([detected(1, 0.9, 0.8)]).verdict).toBe("no-evidence");
  expect(conclude([detected(1, 0.9, null)]).verdict).toBe("inconclusive");
  expect(conclude([detected(1, 0.9, null), detected(1, 0.9, 0.8)]).verdict).toBe("no-evidence");
});

test("a class that was not reached does not hide a backdoor", () => {
  expect(conclude([detected(RULE.backdooredFrom, 0.9, null)]).verdict).toBe("backdoored");
});
