import { divideTrusted } from "../../audit/prepare.ts";
import { stampTrigger, triggerPng } from "../../data/fixed-trigger.ts";
import type { ClassEvidence, Detector } from "../../detectors/detector.ts";
import { DETECTORS } from "../../detectors/index.ts";
import { imagesOfOthers } from "../../detectors/measure.ts";
import { fidelity } from "../../games/fidelity.ts";
import type { RunContext } from "../../runtime/context.ts";
import { keptModel, type Materials, trueTrigger, trustedImages } from "./materials.ts";
import { configuredIn, type Methods } from "./methods.ts";
import type { Ran, TrialStages } from "./run-trial.ts";
import type { DetectionTrial, ModelTrial, Trial } from "./trial.ts";
import type { DetectionOutcome } from "./trial-record.ts";

/** Scores a model: line 8 of Algorithm 2; and compares what was found with the true trigger, if there is one. */
export async function runDetectionTrial(
  context: RunContext,
  stages: TrialStages,
  materials: Materials,
  { config }: Trial<DetectionTrial>,
): Promise<Ran<DetectionOutcome>> {
  const suspect = (await materials.store.read(config.model)).config as ModelTrial;
  const { method, config: options } = configuredIn(
    "detector",
    DETECTORS as Methods<Detector>,
    config.detector,
  )!;
  const trusted = trustedImages(materials, config.trusted, context.random);
  const { tuning: search, heldOut } = divideTrusted(trusted, config.heldOut, context.random);
  const model = await keptModel(context, materials, config.model);
  const repaired =
    config.repair === null ? model : await keptModel(context, materials, config.repair);
  const { statistic, classes, score } = await stages.run("detect", (part) =>
    method.run(part, { model, repaired, search, heldOut }, options),
  );
  const found = await stages.run("compare", (part) => likeness(part, materials, suspect, classes));
  const leading = classes.find((evidence) => evidence.score === score)!;
  return {
    outcome: {
      kind: "detection",
      ...{ statistic, score, fidelity: found },
      classes: classes.map(({ target, score, found, size, success, kept }) => ({
        ...{ target, score, found, size, success, kept },
      })),
    },
    trigger: await triggerPng(leading.trigger),
  };
}

/** Of the trigger that was found for the true target. */
async function likeness(
  context: RunContext,
  materials: Materials,
  suspect: ModelTrial,
  classes: readonly ClassEvidence[],
): Promise<DetectionOutcome["fidelity"]> {
  const found = classes.find(({ target }) => target === suspect.target);
  // A picture of what was found otherwise is no trigger to compare.
  if (!found || found.illustration) return null;
  const truth = await trueTrigger(context, materials, suspect);
  if (!truth) return null;
  try {
    const others = imagesOfOthers(materials.test, truth.target);
    const inverted = (images: Parameters<typeof stampTrigger>[1]) =>
      stampTrigger(found.trigger, images);
    return await fidelity(others, inverted, truth.stamp, context);
  } finally {
    await truth.release?.();
  }
}
