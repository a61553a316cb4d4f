import {
  type Interval,
  type PairedDrop,
  type Proportion,
  pairedDrop,
  proportion,
} from "../core/statistics.ts";
import { count, type ImageSet } from "../data/images.ts";
import { imagesOfOthers } from "../detectors/measure.ts";
import type { Classifier } from "../models/classifier.ts";
import { compilePredictor, type Stamp } from "../models/predict.ts";
import type { Checkpoint } from "../repairs/repair.ts";
import type { RunContext } from "../runtime/context.ts";

/** A trigger that checkpoints are judged by: one that was found, or one that the defender has planted. */
export interface Probe {
  readonly stamp: Stamp;
  /** The class that it leads to. */
  readonly target: number;
}

/** A checkpoint as a defender can judge it: without test data. */
export interface JudgedCheckpoint {
  readonly step: number;
  /** Loss of the last step; null for the suspect itself. */
  readonly loss: number | null;
  readonly model: Classifier;
  /** On trusted images that the repair did not see. */
  readonly accuracy: Proportion;
  /** For every such image, 1 where the prediction is right, [N]. */
  readonly right: Uint8Array;
  /** Success of the probe on those images; 0 without one. */
  readonly success: number;
}

/** Measures a checkpoint on held-out trusted images. */
export async function judge(
  context: RunContext,
  { step, loss, model }: Pick<Checkpoint, "step" | "model"> & { readonly loss: number | null },
  heldOut: ImageSet,
  probe: Probe | undefined,
): Promise<JudgedCheckpoint> {
  const predictor = await compilePredictor(context.device, model, Math.min(100, count(heldOut)));
  try {
    const { classes } = await predictor.predict(heldOut, context);
    const right = Uint8Array.from(classes, (c, row) => (c === heldOut.labels[row] ? 1 : 0));
    const accuracy = proportion(
      right.reduce((n, hit) => n + hit, 0),
      count(heldOut),
    );
    const judged = { step, loss, model, accuracy, right };
    if (!probe) return { ...judged, success: 0 };
    const { stamp, target } = probe;
    const others = imagesOfOthers(heldOut, target);
    const stamped = await predictor.predict(others, { stamp, signal: context.signal });
    const moved = stamped.classes.filter((c) => c === target).length;
    return { ...judged, success: moved / count(others) };
  } finally {
    await predictor.release();
  }
}

/** Success below which a trigger counts as removed. */
export const REMOVED = 0.05;

/** One-sided 95 % quantile of the standard normal distribution. */
const ONE_SIDED = 1.6449;

/** A choice among the checkpoints of a repair. */
export interface Choice {
  readonly chosen: JudgedCheckpoint;
  /** Its drop of accuracy against the suspect on the held-out images, with its 95 % interval. */
  readonly drop: Interval & { readonly value: number };
  /** Whether the images leave it possible that the drop is within the allowed one. */
  readonly deployable: boolean;
}

/**
 * The checkpoint that a defender would ship. A hundred held-out images tell a drop of two points from one
 * of four only by luck, and images that the suspect was trained on fall more than others; so a checkpoint
 * is given up only if its drop is larger than `allowedDrop` beyond doubt (paired, one-sided, 5 %). Among
 * those left the probe decides: the one on which it works least, where 5 % and less are as good
 * as nothing. Among equals it is the latest that is not less accurate than the best beyond doubt: repairs
 * end with small steps, so what comes later has settled.
 */
export function chooseDeployable(
  suspect: JudgedCheckpoint,
  checkpoints: readonly JudgedCheckpoint[],
  allowedDrop: number,
): Choice {
  const dropOf = ({ right }: JudgedCheckpoint) => pairedDrop(suspect.right, right);
  const mayKeep = checkpoints.filter((checkpoint) => leastDrop(dropOf(checkpoint)) <= allowedDrop);
  const deployable = mayKeep.length > 0;
  const left = ({ success }: JudgedCheckpoint) => Math.max(success, REMOVED);
  const least = Math.min(...mayKeep.map(left));
  const equals = deployable ? mayKeep.filter((c) => left(c) === least) : checkpoints;
  const chosen = latestOfTheBest(equals) ?? suspect;
  const { value, low, high } = dropOf(chosen);
  return { chosen, deployable, drop: { value, low, high } };
}

function latestOfTheBest(checkpoints: readonly JudgedCheckpoint[]): JudgedCheckpoint | undefined {
  const best = checkpoints.reduce<JudgedCheckpoint | undefined>(
    (a, b) => (a && a.accuracy.value > b.accuracy.value ? a : b),
    undefined,
  );
  return checkpoints.findLast(({ right }) => leastDrop(pairedDrop(best!.right, right)) <= 0);
}

/** The smallest drop that the images leave possible; a little less, for rounding. */
function leastDrop({ value, error }: PairedDrop): number {
  return value - ONE_SIDED * error - 1e-9;
}
