import { calibratedTriggerInversion } from "./calibrated-trigger-inversion.ts";
import { combined } from "./combined.ts";
import { mmBd } from "./mm-bd.ts";
import { neuralCleanse } from "./neural-cleanse.ts";
import { smallestTrigger } from "./smallest-trigger.ts";

/** Every detector by its name. */
export const DETECTORS = {
  "calibrated-trigger-inversion": calibratedTriggerInversion,
  combined,
  "mm-bd": mmBd,
  "neural-cleanse": neuralCleanse,
  "smallest-trigger": smallestTrigger,
} as const;

export type DetectorName = keyof typeof DETECTORS;

/** The detector of whoever names none. */
export const DEFAULT_DETECTOR = "smallest-trigger" satisfies DetectorName;
