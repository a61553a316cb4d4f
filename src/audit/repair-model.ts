import { AntidoteError } from "../core/errors.ts";
import type { FloatTensor } from "../core/tensor.ts";
import { stampTrigger } from "../data/fixed-trigger.ts";
import type { ImageSet } from "../data/images.ts";
import type { SuspectedTrigger } from "../inversion/smallest.ts";
import { mostSuspicious, standingOut } from "../inversion/smallest.ts";
import type { Classifier } from "../models/classifier.ts";
import type { Repair } from "../repairs/repair.ts";
import type { RunContext } from "../runtime/context.ts";
import { type Choice, chooseDeployable, type JudgedCheckpoint, type Probe } from "./deploy.ts";
import { openJury } from "./jury.ts";
import type { Configured } from "./options.ts";
import type { AuditRecord } from "./record.ts";

/** A repair that was run and judged. */
export interface Repaired extends Choice {
  /** That of the chosen checkpoint; the suspect itself if there is none. */
  readonly model: Classifier;
  readonly suspect: JudgedCheckpoint;
  /** How many views of each held-out image drops are measured on. */
  readonly views: number;
  readonly checkpoints: readonly JudgedCheckpoint[];
  /** Why the repair ended before its last step; null if it did not. */
  readonly stopped: string | null;
}

/** A repair whose checkpoints were judged by a trigger that was found. */
export interface RepairedByTriggers extends Repaired {
  /** That trigger; null if none stands out, and accuracy alone has judged. */
  readonly probe: SuspectedTrigger | null;
}

/** A model to repair, the images to do it with, and those that judge. */
export interface Patient extends Readonly<Record<"tuning" | "heldOut", ImageSet>> {
  readonly model: Classifier;
}

/** Sees every checkpoint as it comes: of their models only that of the choice is kept. */
export type Witness = (model: Classifier) => Promise<void>;

/** Repairs a model and chooses among the checkpoints by images, and by the most suspicious trigger that stands out. */
export async function repairModel(
  context: RunContext,
  patient: Patient,
  triggers: readonly SuspectedTrigger[],
  repair: Configured<Repair>,
  allowedDrop: number,
  witness?: Witness,
): Promise<RepairedByTriggers> {
  // What checkpoints are judged by; natural triggers are none of the repair's business.
  const strongest = mostSuspicious(standingOut(triggers));
  const probe = strongest && {
    target: strongest.target,
    stamp: (images: FloatTensor) => stampTrigger(strongest.trigger, images),
  };
  const known = { triggers, probe };
  const repaired = await repairAndJudge(context, patient, known, repair, allowedDrop, witness);
  return { ...repaired, probe: strongest ?? null };
}

/**
 * Runs a repair to its last step, also where it has lost more than `allowedDrop` on the way, since some begin with a loss and come back
 * (the paper's evaluation ends there, Section V-E2), and chooses among its checkpoints by images that it did not see.
 * @param known what the repair may use, and what judges its checkpoints
 */
export async function repairAndJudge(
  context: RunContext,
  { model, tuning, heldOut }: Patient,
  known: { readonly triggers: readonly SuspectedTrigger[]; readonly probe: Probe | undefined },
  { method, config }: Configured<Repair>,
  allowedDrop: number,
  witness?: Witness,
): Promise<Repaired> {
  const { triggers, probe } = known;
  const jury = await openJury(context, model, heldOut, probe);
  const { suspect, views } = jury;
  const checkpoints: JudgedCheckpoint[] = [];
  let choice = chooseDeployable(suspect, checkpoints, allowedDrop);
  let shipped = model;
  const input = { model, trusted: tuning, ...(triggers.length > 0 ? { triggers } : {}) };
  const tuned = { ...context, random: context.random.fork("repair") };
  let stopped: string | null = null;
  try {
    for await (const checkpoint of method.run(tuned, input, config)) {
      const judged = await jury.judge(context, checkpoint);
      checkpoints.push(judged);
      choice = chooseDeployable(suspect, checkpoints, allowedDrop);
      if (choice.chosen === judged) shipped = checkpoint.model;
      await witness?.(checkpoint.model);
    }
  } catch (error) {
    // What a repair yielded before it diverged is as good as ever.
    if (!(error instanceof AntidoteError && error.code === "DIVERGED")) throw error;
    stopped = `${error.message} ${error.next ?? ""}`.trim();
  }
  return { model: shipped, suspect, views, checkpoints, stopped, ...choice };
}

/** A repair as records state it. */
export function describeRepair(
  { suspect, views, checkpoints, chosen, deployable, drop, stopped }: Repaired,
  allowedDrop: number,
): AuditRecord["repair"] {
  return {
    allowedDrop,
    deployable,
    drop,
    views,
    stopped,
    curve: [suspect, ...checkpoints].map((point) => ({
      step: point.step,
      heldOutAccuracy: point.accuracy,
      loss: point.loss,
      chosen: point === chosen,
    })),
  };
}
