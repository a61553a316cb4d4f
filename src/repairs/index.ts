import { anp } from "./anp.ts";
import { backdoorUnlearning } from "./backdoor-unlearning.ts";
import { featureShiftTuning } from "./feature-shift-tuning.ts";
import { finePruning } from "./fine-pruning.ts";
import { ftSam } from "./ft-sam.ts";
import { marginUnlearning } from "./margin-unlearning.ts";
import { nad } from "./nad.ts";
import { neuralCleanse } from "./neural-cleanse.ts";
import { pivotalTuning } from "./pivotal-tuning.ts";
import { triggerUnlearning } from "./trigger-unlearning.ts";
import { weightDecay } from "./weight-decay.ts";

/** Every repair by its name. */
export const REPAIRS = {
  anp,
  "backdoor-unlearning": backdoorUnlearning,
  "feature-shift-tuning": featureShiftTuning,
  "fine-pruning": finePruning,
  "ft-sam": ftSam,
  "margin-unlearning": marginUnlearning,
  nad,
  "neural-cleanse": neuralCleanse,
  "pivotal-tuning": pivotalTuning,
  "trigger-unlearning": triggerUnlearning,
  "weight-decay": weightDecay,
} as const;

export type RepairName = keyof typeof REPAIRS;

/** The repair of whoever names none. */
export const DEFAULT_REPAIR = "trigger-unlearning" satisfies RepairName;

/**
 * The repair whose result a suspect is compared with where nobody names one: Algorithm 4's. The default repair leaves a
 * model as it is in which no trigger stands out, and then there is nothing to compare.
 */
export const COMPARED_REPAIR = "pivotal-tuning" satisfies RepairName;
