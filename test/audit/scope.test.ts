import { expect, test } from "vitest";
import { scopeOf } from "../../src/audit/words.ts";
import { DETECTORS, type DetectorName } from "../../src/detectors/index.ts";

const scope = (name: DetectorName, statistic: string, options: object = {}) => {
  const method = DETECTORS[name];
  const { covered, notTested } = scopeOf(
    { method, config: method.config.parse(options) } as Parameters<typeof scopeOf>[0],
    statistic,
  );
  return { covered: covered.join(" "), notTested: notTested.join(" ") };
};

test("the default detector searches all kinds of trigger that treat images alike", () => {
  const { covered, notTested } = scope("smallest-trigger", "size-gap");
  expect(covered).toContain(
    "Triggers that treat every image alike: patches and blended pictures, smooth faint patterns, faint patterns of any frequency, smooth warps.",
  );
  expect(notTested).not.toContain("that treat every image alike");
  expect(notTested).toContain("reflections");
});

test("kinds that a detector does not search with its options were not tested", () => {
  for (const [found, left] of [
    [
      scope("smallest-trigger", "size-gap", { families: ["masked"] }),
      "smooth faint patterns, faint patterns of any frequency, smooth warps",
    ],
    [
      scope("neural-cleanse", "anomaly-index", { form: "masked" }),
      "smooth faint patterns, faint patterns of any frequency, smooth warps",
    ],
    [
      scope("calibrated-trigger-inversion", "success-difference"),
      "patches and blended pictures, smooth faint patterns, smooth warps",
    ],
  ] as const) {
    expect(found.notTested).toContain(
      `Other triggers that treat every image alike, as far as these do not imitate them: ${left}.`,
    );
    expect(found.covered).not.toContain(left);
  }
});

test("a detector by margins tests how sure the network is, and no trigger", () => {
  expect(scope("mm-bd", "margin-outlier").covered).not.toContain("treat every image alike");
  expect(scope("combined", "of-threshold").covered).toMatch(/treat every image alike.+far surer/);
});
