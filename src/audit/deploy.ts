import { type Proportion, proportion } from "../core/statistics.ts";
import { count, type ImageSet } from "../data/images.ts";
import { stampOverlay } from "../data/overlay.ts";
import { imagesOfOthers } from "../detectors/measure.ts";
import type { SuspectedTrigger } from "../inversion/smallest.ts";
import type { Classifier } from "../models/classifier.ts";
import { compilePredictor } from "../models/predict.ts";
import type { Checkpoint } from "../repairs/repair.ts";
import type { RunContext } from "../runtime/context.ts";

/** A checkpoint as a defender can judge it: without test data and without the true trigger. */
export interface JudgedCheckpoint {
  readonly step: number;
  /** Loss of the last step; null for the suspect itself. */
  readonly loss: number | null;
  readonly model: Classifier;
  /** On trusted images that the repair did not see. */
  readonly accuracy: Proportion;
  /** Success of the strongest found trigger on those images; 0 without one. */
  readonly success: number;
}

/** Measures a checkpoint on held-out trusted images. */
export async function judge(
  context: RunContext,
  { step, loss, model }: Pick<Checkpoint, "step" | "model"> & { readonly loss: number | null },
  heldOut: ImageSet,
  trigger: SuspectedTrigger | undefined,
): Promise<JudgedCheckpoint> {
  const predictor = await compilePredictor(context.device, model, Math.min(100, count(heldOut)));
  try {
    const { classes } = await predictor.predict(heldOut, context);
    const hits = classes.reduce((n, c, row) => n + (c === heldOut.labels[row] ? 1 : 0), 0);
    const accuracy = proportion(hits, count(heldOut));
    if (!trigger) return { step, loss, model, accuracy, success: 0 };
    const { overlay, target } = trigger;
    const others = imagesOfOthers(heldOut, target);
    const stamped = await predictor.predict(others, {
      stamp: (images) => stampOverlay(overlay, images),
      signal: context.signal,
    });
    const moved = stamped.classes.filter((c) => c === target).length;
    return { step, loss, model, accuracy, success: moved / count(others) };
  } finally {
    await predictor.release();
  }
}

/** Success below which a trigger counts as removed. */
export const REMOVED = 0.05;

/**
 * The checkpoint that a defender would ship: among those whose held-out accuracy fell by at most
 * `allowedDrop`, the one on which the found trigger works least; triggers at or below 5 % count as
 * equally removed, and then the most accurate one is taken, the latest of equals.
 */
export function chooseDeployable(
  suspect: JudgedCheckpoint,
  checkpoints: readonly JudgedCheckpoint[],
  allowedDrop: number,
): { readonly chosen: JudgedCheckpoint; readonly deployable: boolean } {
  // Shares of whole images: the tolerance is for rounding in their difference.
  const keeps = ({ accuracy }: JudgedCheckpoint) =>
    suspect.accuracy.value - accuracy.value <= allowedDrop + 1e-9;
  const candidates = checkpoints.filter(keeps);
  if (candidates.length === 0) {
    const chosen = checkpoints.reduce((a, b) => (b.accuracy.value >= a.accuracy.value ? b : a));
    return { chosen, deployable: false };
  }
  const left = ({ success }: JudgedCheckpoint) => Math.max(success, REMOVED);
  const chosen = candidates.reduce((a, b) => {
    if (left(a) !== left(b)) return left(b) < left(a) ? b : a;
    return b.accuracy.value >= a.accuracy.value ? b : a;
  });
  return { chosen, deployable: true };
}
