import { adaptiveBlend } from "./adaptive-blend.ts";
import { adaptivePatch } from "./adaptive-patch.ts";
import { adv } from "./adv.ts";
import type { Attack } from "./attack.ts";
import { badnets } from "./badnets.ts";
import { cBadnets } from "./c-badnets.ts";
import type { CodePoisoning } from "./code-poisoning.ts";
import { pcb } from "./pcb.ts";
import { refool } from "./refool.ts";
import { tsb } from "./tsb.ts";
import { wanet } from "./wanet.ts";

/** Every attack on training data, by name. */
export const ATTACKS = {
  badnets,
  "c-badnets": cBadnets,
  "adaptive-patch": adaptivePatch,
  "adaptive-blend": adaptiveBlend,
  adv,
  refool,
  wanet,
  tsb,
} as const;

/** Every attack on the training procedure, by name. */
export const CODE_POISONINGS = { pcb } as const;

/** Every attack that a training run can carry out: on its images, or on its steps. */
export const TRAINING_ATTACKS: Readonly<Record<string, Attack | CodePoisoning>> = {
  ...ATTACKS,
  ...CODE_POISONINGS,
};

export type AttackName = keyof typeof ATTACKS;
