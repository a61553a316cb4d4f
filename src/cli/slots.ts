import type { Attack } from "../attacks/attack.ts";
import { ATTACKS } from "../attacks/index.ts";
import type { Detector } from "../detectors/detector.ts";
import { DETECTORS } from "../detectors/index.ts";
import { REPAIRS } from "../repairs/index.ts";
import type { Repair } from "../repairs/repair.ts";
import type { Slot } from "./command.ts";

/** The attack whose trigger a command uses; none unless one is named. */
export const ATTACK = {
  description: "attack that makes the trigger",
  group: "Trigger:",
  methods: ATTACKS as Readonly<Record<string, Attack>>,
} satisfies Slot;

/** The repair that a command applies. */
export const REPAIR = {
  description: "repair to apply",
  group: "Methods:",
  default: "trigger-unlearning",
  methods: REPAIRS as Readonly<Record<string, Repair>>,
} satisfies Slot;

/** The detector that a command applies. */
export const DETECTOR = {
  description: "detector to apply",
  group: "Methods:",
  default: "smallest-trigger",
  methods: DETECTORS as Readonly<Record<string, Detector>>,
} satisfies Slot;

/** Every kind of method, by the name of its slot. */
export const SLOTS = { attack: ATTACK, repair: REPAIR, detector: DETECTOR } as const;
