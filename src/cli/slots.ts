import type { Attack } from "../attacks/attack.ts";
import { ATTACKS } from "../attacks/index.ts";
import type { Slot } from "./command.ts";

/** The attack whose trigger a command uses; none unless one is named. */
export const ATTACK = {
  description: "attack that makes the trigger",
  group: "Trigger:",
  methods: ATTACKS as Readonly<Record<string, Attack>>,
} satisfies Slot;

/** Every kind of method, by the name of its slot. */
export const SLOTS = { attack: ATTACK } as const;
