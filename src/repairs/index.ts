import { featureShiftTuning } from "./feature-shift-tuning.ts";
import { pivotalTuning } from "./pivotal-tuning.ts";
import { triggerUnlearning } from "./trigger-unlearning.ts";

/** Every repair by its name. */
export const REPAIRS = {
  "feature-shift-tuning": featureShiftTuning,
  "pivotal-tuning": pivotalTuning,
  "trigger-unlearning": triggerUnlearning,
} as const;

export type RepairName = keyof typeof REPAIRS;
