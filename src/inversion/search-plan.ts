import type { Geometry } from "../data/images.ts";
import type { TournamentPlan } from "./class-tournament.ts";
import type { InversionPlan } from "./invert.ts";
import type { Pace, SizeControl } from "./size-control.ts";
import { additiveFamily, type FamilyName, maskedFamily, smoothFamily } from "./trigger-family.ts";

/** A kind of trigger, and how its search starts. */
const FAMILIES = {
  masked: { family: maskedFamily, learningRate: 0.2, weight: 0.02 },
  smooth: { family: smoothFamily, learningRate: 0.1, weight: 0.1 },
  additive: { family: () => additiveFamily(), learningRate: 0.02, weight: 0.1 },
} as const satisfies Record<FamilyName, object>;

/**
 * Largest share of the pixels, or root mean square of the added values, of triggers that classes compete for; below
 * what moves images into a class by itself, so that a class to which a backdoor leads has an advantage.
 */
const BOUNDS = { masked: 0.015, smooth: 0.03, additive: 0.015 } as const;

/** A kind of trigger of bounded size, as `TournamentPlan` has it. */
export function boundedFamily(
  name: FamilyName,
  { channels, height, width }: Geometry,
): Pick<TournamentPlan, "family" | "budget" | "weight" | "learningRate"> {
  const { learningRate } = FAMILIES[name];
  const share = BOUNDS[name];
  if (name === "masked") {
    const budget = share * height * width;
    return { family: maskedFamily({ opacity: share }), budget, weight: 1 / budget, learningRate };
  }
  const budget = share * Math.sqrt(channels * height * width); // ‖T‖₂
  return { family: FAMILIES[name].family(), budget, weight: 1 / budget, learningRate };
}

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
