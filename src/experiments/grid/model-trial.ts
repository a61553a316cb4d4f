import { join } from "node:path";
import { undefended } from "../../deployments/undefended.ts";
import { isDataPoisoner, type Train } from "../../games/collect.ts";
import { Judge } from "../../games/judge.ts";
import { trainSuspect } from "../../games/robustness.ts";
import type { RunContext } from "../../runtime/context.ts";
import { SANITIZERS } from "../../sanitizers/index.ts";
import type { Sanitizer } from "../../sanitizers/sanitizer.ts";
import { train } from "../../train/loop.ts";
import { attackerOf, keptModel, type Materials, startOf, trueTrigger } from "./materials.ts";
import { configuredIn, type Methods } from "./methods.ts";
import type { Ran, TrialStages } from "./run-trial.ts";
import type { ModelTrial, Trial } from "./trial.ts";
import type { ModelOutcome } from "./trial-record.ts";

/** Collects, sanitizes, trains, and judges the model: lines 7 to 9 of Algorithm 1. */
export async function runModelTrial(
  context: RunContext,
  stages: TrialStages,
  materials: Materials,
  { key, config }: Trial<ModelTrial>,
): Promise<Ran<ModelOutcome>> {
  const { store, train: clean, test } = materials;
  const { attacker, aids } = await attackerOf(context, materials, config);
  const folder = await store.workFolder(key);

  const learn: Train = async (own, { images, repeats, unaugmented }) => {
    const classifier = await startOf(own, materials, config.network);
    const checkpoint = join(folder, "training.safetensors");
    const input = { classifier, images, repeats, unaugmented, checkpoint };
    return (await train(own, input, config.training)).classifier;
  };
  const scout: Train = () => keptModel(context, materials, config.unsanitized!);
  const sanitizer = configuredIn("sanitizer", SANITIZERS as Methods<Sanitizer>, config.sanitizer);
  const suspect = await stages.run("training", (part) => {
    const { padding, flip } = config.training;
    const players = { attacker, sanitizer, aids, train: learn, scout };
    return trainSuspect(part, { ...players, augmentation: { padding, flip } }, clean);
  });

  const judgement = await stages.run("judge", async (part) => {
    const trigger = await trueTrigger(part, materials, config);
    const deployed = await undefended(part, suspect.model);
    try {
      return await (await Judge.open(part, test, trigger)).judge(deployed, part);
    } finally {
      await deployed.release();
      await trigger?.release?.();
    }
  });
  const marked = attacker && isDataPoisoner(attacker) ? attacker.plan.samples : 0;
  const { filtered = null } = suspect;
  return { outcome: { kind: "model", ...judgement, marked, filtered }, model: suspect.model };
}
