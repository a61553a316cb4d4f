import type { DetectionOutcome } from "../grid/trial-record.ts";
import { type ModelResult, type Results, valuesOf } from "./results.ts";

/**
 * The score that the paper ranks models by: of Neural Cleanse the lowest ‖T‖₁ of all classes, where low means
 * backdoored (Algorithm 6); of other detectors their own.
 */
export function paperScore(detector: string): (outcome: DetectionOutcome) => number {
  if (detector !== "neural-cleanse") return ({ score }) => score;
  return ({ classes }) => -Math.min(...classes.map(({ size }) => size));
}

/** These scores of models, as far as they are there. */
export function scoresOf(
  results: Results,
  models: readonly ModelResult[],
  detector: string,
): number[] {
  return valuesOf(results.detections(models, detector), paperScore(detector));
}
