import { expect, test } from "vitest";
import { workOf } from "../../src/audit/estimate.ts";
import { combined } from "../../src/detectors/combined.ts";
import type { Detector } from "../../src/detectors/detector.ts";
import { mmBd } from "../../src/detectors/mm-bd.ts";
import { smallestTrigger } from "../../src/detectors/smallest-trigger.ts";

const SIZES = { classes: 10, tuning: 400, heldOut: 100 };

/** What a search with the defaults is announced as, in forward passes. */
function announced(method: Detector, given: object = {}): number {
  const config = method.config.parse(given) as Record<string, unknown>;
  const work = workOf({ detector: { method, config }, repeats: 2 }, SIZES);
  return [...work.values()].reduce((sum, { amount }) => sum + amount, 0);
}

test("a detector of two halves takes as long as both, but that what they find is shown once", () => {
  const { marginSteps: steps, marginImages: images, classesPerStep } = combined.config.parse({});
  const margins = announced(mmBd, { steps, images, classesPerStep });
  const shown = 2 * SIZES.classes * SIZES.heldOut;
  expect(announced(combined)).toBe(announced(smallestTrigger) + margins - shown);
});
