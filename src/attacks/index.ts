import { badnets } from "./badnets.ts";

/** Every attack, by name. */
export const ATTACKS = { badnets } as const;

export type AttackName = keyof typeof ATTACKS;
