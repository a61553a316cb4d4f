import type { Geometry } from "../data/images.ts";
import type { TournamentPlan } from "./class-tournament.ts";
import type { InversionPlan } from "./invert.ts";
import type { Pace, SizeControl } from "./size-control.ts";
import { additiveFamily, type FamilyName, maskedFamily, smoothFamily } from "./trigger-family.ts";
import { warpedFamily } from "./warped-family.ts";

/** A kind of trigger, how its search starts, and how its size grows with an image that it fills alike. */
const FAMILIES = {
  masked: { family: maskedFamily, learningRate: 0.2, weight: 0.02, grows: pixels },
  smooth: { family: smoothFamily, learningRate: 0.1, weight: 0.1, grows: length },
  additive: { family: () => additiveFamily(), learningRate: 0.02, weight: 0.1, grows: length },
  warped: { family: warpedFamily, learningRate: 4e-4, weight: 10, grows: () => 1 },
} as const satisfies Record<FamilyName, object>;

/** Of what the weights above are for. */
const CIFAR: Geometry = { channels: 3, height: 32, width: 32 };

/** A sum over pixels. */
function pixels({ height, width }: Geometry): number {
  return height * width;
}

/** ‖·‖₂ of an image. */
function length({ channels, height, width }: Geometry): number {
  return Math.sqrt(channels * height * width);
}

/**
 * The first weight of the penalty. A trigger that fills the same share of an image costs the same at every image size:
 * with one weight for all, a search at 224 pixels would begin by shrinking whatever it has.
 */
function firstWeight(name: FamilyName, geometry: Geometry): number {
  const { weight, grows } = FAMILIES[name];
  return weight * (grows(CIFAR) / grows(geometry));
}

/**
 * Largest share of the pixels, or root mean square of the added values, of triggers that classes compete for; below
 * what moves images into a class by itself, so that a class to which a backdoor leads has an advantage.
 */
const BOUNDS = { masked: 0.015, smooth: 0.03, additive: 0.015, warped: 0.02 } as const;

/** A kind of trigger of bounded size, as `TournamentPlan` has it. */
export function boundedFamily(
  name: FamilyName,
  geometry: Geometry,
): Pick<TournamentPlan, "family" | "budget" | "weight" | "learningRate"> {
  const { learningRate } = FAMILIES[name];
  const share = BOUNDS[name];
  if (name === "masked") {
    const budget = share * pixels(geometry);
    return { family: maskedFamily({ opacity: share }), budget, weight: 1 / budget, learningRate };
  }
  const { family, grows } = FAMILIES[name];
  const budget = share * grows(geometry);
  return { family: family(), budget, weight: 1 / budget, learningRate };
}

/** Factor by which the penalty on the size adapts at every step. */
const FACTOR = 1.3;

/** A search on the suspect alone for triggers whose size is governed. */
export function searchPlan(
  name: FamilyName,
  geometry: Geometry,
  effort: Pick<InversionPlan, "steps" | "images" | "classesPerStep">,
  control: (pace: Pace) => SizeControl,
): InversionPlan {
  const { family, learningRate } = FAMILIES[name];
  const weight = firstWeight(name, geometry);
  const { steps, images, classesPerStep } = effort;
  return {
    ...{ steps, images, classesPerStep, learningRate },
    family: family(),
    suspectWeight: 1,
    repairedWeight: 0,
    control: control({ weight, factor: FACTOR }),
  };
}
