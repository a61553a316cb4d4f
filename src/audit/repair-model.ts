import type { ImageSet } from "../data/images.ts";
import type { SuspectedTrigger } from "../inversion/smallest.ts";
import { mostSuspicious } from "../inversion/smallest.ts";
import type { Classifier } from "../models/classifier.ts";
import type { Repair } from "../repairs/repair.ts";
import type { RunContext } from "../runtime/context.ts";
import { chooseDeployable, type JudgedCheckpoint, judge } from "./deploy.ts";
import type { Configured } from "./options.ts";
import type { AuditRecord } from "./record.ts";

/** A repair that was run and judged. */
export interface Repaired {
  readonly suspect: JudgedCheckpoint;
  readonly checkpoints: readonly JudgedCheckpoint[];
  /** The checkpoint that a defender would ship. */
  readonly chosen: JudgedCheckpoint;
  /** Whether it keeps the allowed drop of accuracy. */
  readonly deployable: boolean;
}

/** Runs a repair and chooses among its checkpoints by images that it did not see. */
export async function repairModel(
  context: RunContext,
  {
    model,
    tuning,
    heldOut,
  }: Readonly<Record<"tuning" | "heldOut", ImageSet>> & {
    readonly model: Classifier;
  },
  triggers: readonly SuspectedTrigger[],
  { method, config }: Configured<Repair>,
  allowedDrop: number,
): Promise<Repaired> {
  // The most suspicious trigger is what checkpoints are judged by.
  const strongest = mostSuspicious(triggers);
  const suspect = await judge(context, { step: 0, loss: null, model }, heldOut, strongest);
  const checkpoints: JudgedCheckpoint[] = [];
  const input = { model, trusted: tuning, ...(triggers.length > 0 ? { triggers } : {}) };
  const tuned = { ...context, random: context.random.fork("repair") };
  for await (const checkpoint of method.run(tuned, input, config)) {
    checkpoints.push(await judge(context, checkpoint, heldOut, strongest));
  }
  return { suspect, checkpoints, ...chooseDeployable(suspect, checkpoints, allowedDrop) };
}

/** A repair as records state it. */
export function describeRepair(
  { suspect, checkpoints, chosen, deployable }: Repaired,
  allowedDrop: number,
): AuditRecord["repair"] {
  return {
    allowedDrop,
    deployable,
    curve: [suspect, ...checkpoints].map((point) => ({
      step: point.step,
      heldOutAccuracy: point.accuracy,
      loss: point.loss,
      chosen: point === chosen,
    })),
  };
}
