import type { InversionPlan } from "./invert.ts";
import type { Pace, SizeControl } from "./size-control.ts";
import { additiveFamily, type FamilyName, maskedFamily, smoothFamily } from "./trigger-family.ts";

/** A kind of trigger, and how its search starts. */
const FAMILIES = {
  masked: { family: maskedFamily, learningRate: 0.2, weight: 0.02 },
  smooth: { family: smoothFamily, learningRate: 0.1, weight: 0.1 },
  additive: { family: () => additiveFamily(), learningRate: 0.02, weight: 0.1 },
} as const satisfies Record<FamilyName, object>;

/** Factor by which the penalty on the size adapts at every step. */
const FACTOR = 1.3;

/** A search on the suspect alone for triggers whose size is governed. */
export function searchPlan(
  name: FamilyName,
  effort: Pick<InversionPlan, "steps" | "images" | "classesPerStep">,
  control: (pace: Pace) => SizeControl,
): InversionPlan {
  const { family, learningRate, weight } = FAMILIES[name];
  const { steps, images, classesPerStep } = effort;
  return {
    ...{ steps, images, classesPerStep, learningRate },
    family: family(),
    suspectWeight: 1,
    repairedWeight: 0,
    control: control({ weight, factor: FACTOR }),
  };
}
