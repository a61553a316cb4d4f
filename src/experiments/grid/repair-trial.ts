import type { Deployment } from "../../deployments/deployment.ts";
import { DEPLOYMENTS } from "../../deployments/index.ts";
import { Judge } from "../../games/judge.ts";
import { defend } from "../../games/robustness.ts";
import { REPAIRS } from "../../repairs/index.ts";
import type { Repair } from "../../repairs/repair.ts";
import type { RunContext } from "../../runtime/context.ts";
import { keptModel, type Materials, trueTrigger, trustedImages } from "./materials.ts";
import { configuredIn, type Methods } from "./methods.ts";
import type { Ran, TrialStages } from "./run-trial.ts";
import type { ModelTrial, RepairTrial, Trial } from "./trial.ts";
import type { RepairOutcome } from "./trial-record.ts";

/** Repairs, deploys and judges a model: lines 10 to 16 of Algorithm 1. */
export async function runRepairTrial(
  context: RunContext,
  stages: TrialStages,
  materials: Materials,
  { config }: Trial<RepairTrial>,
): Promise<Ran<RepairOutcome>> {
  const { store, test } = materials;
  const { allowedDrop, heldOut } = config;
  const suspect = (await store.read(config.model)).config as ModelTrial;
  const repair = configuredIn("repair", REPAIRS as Methods<Repair>, config.repair);
  const deployments = DEPLOYMENTS as Methods<Deployment>;
  const deployment = configuredIn("deployment", deployments, config.deployment);
  const trusted = trustedImages(materials, config.trusted, context.random);
  const model = await keptModel(context, materials, config.model);
  const trigger = await trueTrigger(context, materials, suspect);
  try {
    const judge = await stages.run("mark", (part) => Judge.open(part, test, trigger));
    const defence = { repair, deployment, allowedDrop, heldOut };
    const { model: shipped, ...defended } = await stages.run("repair", (part) =>
      defend(part, defence, model, trusted, judge),
    );
    const { before, deployed } = defended;
    const drop = before.accuracy.value - deployed.accuracy.value;
    // A little more, for rounding.
    const keptDrop = drop <= allowedDrop + 1e-9;
    return { outcome: { kind: "repair", ...defended, keptDrop }, model: shipped };
  } finally {
    await trigger?.release?.();
  }
}
