import { isDeepStrictEqual } from "node:util";
import { describeRun } from "../../audit/describe.ts";
import { Stages, type Work } from "../../audit/stages.ts";
import { Random } from "../../core/random.ts";
import type { Classifier } from "../../models/classifier.ts";
import { newModelFile } from "../../models/new-file.ts";
import { writeOnnxFile } from "../../onnx/file.ts";
import type { RunContext } from "../../runtime/context.ts";
import { runDetectionTrial } from "./detection-trial.ts";
import type { Materials } from "./materials.ts";
import { runModelTrial } from "./model-trial.ts";
import { runRepairTrial } from "./repair-trial.ts";
import type { Trial, TrialConfig } from "./trial.ts";
import { type Outcome, TRIAL_SCHEMA_VERSION, type TrialRecord } from "./trial-record.ts";

/** What a trial of any kind comes to. */
export interface Ran<O extends Outcome = Outcome> {
  readonly outcome: O;
  readonly model?: Classifier;
  /** Picture of the most suspicious trigger. */
  readonly trigger?: Uint8Array;
}

/** Where a trial takes its times. */
export type TrialStages = Pick<Stages, "run">;

/** Stage of the progress events that tell how far a whole trial has come, in percent. */
export const TRIAL_STAGE = "trial";

/**
 * Runs a trial and keeps its model, its picture and, last of all, its record.
 * @param work how much work its stages are, for progress
 * @throws the errors of the methods; `CANCELLED`, after which the same trial goes on where training had come
 */
export async function runTrial(
  base: Omit<RunContext, "random">,
  materials: Materials,
  trial: Trial,
  work: ReadonlyMap<string, Work>,
): Promise<TrialRecord> {
  const { key, config } = trial;
  const context = { ...base, random: Random.fromSeed(config.seed) };
  const stages = new Stages(TRIAL_STAGE, context);
  stages.expect(work);
  const { store } = materials;
  const { outcome, model, trigger } = await dispatch(context, stages, materials, key, config);
  if (model) {
    const path = store.modelPath(key);
    const metadata = { names: JSON.stringify(materials.train.classNames) };
    await writeOnnxFile(path, newModelFile(path, model, metadata));
  }
  if (store.has(key)) return await keptRecord(context, store, key, outcome);
  const { seed: _, ...facts } = await describeRun(context, config.seed, stages);
  const record: TrialRecord = {
    ...{ schemaVersion: TRIAL_SCHEMA_VERSION, document: "trial", key, config, outcome },
    model: model ? `models/${key}.onnx` : null,
    trigger: trigger ? await store.keepTrigger(key, trigger) : null,
    ...facts,
  };
  await store.add(record);
  return record;
}

/** The record that the store has of a trial whose model alone had to be made again; it stays as it is. */
async function keptRecord(
  { emit }: RunContext,
  store: Materials["store"],
  key: string,
  outcome: Outcome,
): Promise<TrialRecord> {
  const known = await store.read(key);
  if (!isDeepStrictEqual(known.outcome, outcome)) {
    const message = `The model of trial ${key} was made again and is not quite the one that its record measured; the record stays.`;
    emit({ kind: "note", stage: TRIAL_STAGE, message });
  }
  await store.add(known);
  return known;
}

function dispatch(
  context: RunContext,
  stages: Stages,
  materials: Materials,
  key: string,
  config: TrialConfig,
): Promise<Ran> {
  switch (config.kind) {
    case "model":
      return runModelTrial(context, stages, materials, { key, config });
    case "repair":
      return runRepairTrial(context, stages, materials, { key, config });
    case "detection":
      return runDetectionTrial(context, stages, materials, { key, config });
  }
}
