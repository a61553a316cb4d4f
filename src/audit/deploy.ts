import { invariant } from "../core/errors.ts";
import {
  type Interval,
  type PairedDrop,
  type Proportion,
  pairedDrop,
  proportion,
} from "../core/statistics.ts";
import { count, type ImageSet } from "../data/images.ts";
import { imagesOfOthers } from "../detectors/measure.ts";
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
  /** On trusted images that the repair did not see. */
  readonly accuracy: Proportion;
  /** For every such image, 1 where the prediction is right, [N]. */
  readonly right: Float64Array;
  /** For every such image the share of its views, itself among them, on which the prediction is right, [N]. */
  readonly seen: Float64Array;
  /** Success of the probe on those images; 0 without one. */
  readonly success: number;
}

/** A checkpoint, or the suspect itself, of which no loss is known. */
type Judgeable = Pick<Checkpoint, "step" | "model"> & { readonly loss: number | null };

/**
 * Measures a checkpoint on held-out trusted images.
 * @param views what is looked at beside every image itself
 */
export async function judge(
  context: RunContext,
  { step, loss, model }: Judgeable,
  heldOut: ImageSet,
  probe: Probe | undefined,
  views: readonly Stamp[] = [],
): Promise<JudgedCheckpoint> {
  const predictor = await compilePredictor(context.device, model, Math.min(100, count(heldOut)));
  try {
    const { signal } = context;
    const isRight = (c: number, row: number) => Number(c === heldOut.labels[row]);
    const { classes } = await predictor.predict(heldOut, { signal });
    const right = Float64Array.from(classes, isRight);
    const hits = right.slice();
    for (const stamp of views) {
      const looked = await predictor.predict(heldOut, { stamp, signal });
      for (const [row, c] of looked.classes.entries()) hits[row]! += isRight(c, row);
    }
    const judged = {
      ...{ step, loss, accuracy: proportion(sum(right), count(heldOut)) },
      ...{ right, seen: hits.map((looks) => looks / (1 + views.length)) },
    };
    if (!probe) return { ...judged, success: 0 };
    const { stamp, target } = probe;
    const others = imagesOfOthers(heldOut, target);
    invariant(count(others) > 0, "images of other classes tell whether a trigger works");
    const stamped = await predictor.predict(others, { stamp, signal });
    const moved = stamped.classes.filter((c) => c === target).length;
    return { ...judged, success: moved / count(others) };
  } finally {
    await predictor.release();
  }
}

/** Success below which a trigger counts as removed. */
export const REMOVED = 0.05;

/** A drop of accuracy on held-out images, as a share, with its 95 % interval. */
export type EstimatedDrop = Interval & { readonly value: number };

/** The drop of a checkpoint against the suspect, over all views of images that the repair did not see. */
export function estimateDrop(
  suspect: JudgedCheckpoint,
  checkpoint: JudgedCheckpoint,
): EstimatedDrop {
  if (checkpoint === suspect) return { value: 0, low: 0, high: 0 };
  const { value, low, high } = pairedDrop(suspect.seen, checkpoint.seen);
  return { value, low, high };
}

/** A choice among the checkpoints of a repair. */
export interface Choice {
  readonly chosen: JudgedCheckpoint;
  /** Its drop of accuracy against the suspect on the held-out images. */
  readonly drop: EstimatedDrop;
  /** Whether the drop is within the allowed one, give or take a standard error. */
  readonly deployable: boolean;
}

/**
 * The checkpoint that a defender would ship. A hundred held-out images, in however many views, tell a drop of two points from one
 * of four only by luck, and images that the suspect was trained on fall more than others; so a checkpoint
 * is kept if its drop, less one standard error (paired by image), is within `allowedDrop`: on the images alone, and over all
 * their views, where a repair may gain what it loses on the images themselves. This is the rule
 * of one standard error of Breiman, Friedman, Olshen & Stone, Classification and Regression Trees (1984),
 * Section 3.4.3. Among those kept the probe decides: the one on which it works least, where 5 % and less
 * are as good as nothing. Among equals it is the latest whose accuracy is within a standard error of the
 * best: repairs end with small steps, so what comes later has settled. If none is kept, it is that among all of them,
 * so one of those that lose least.
 *
 * With one checkpoint more, the choice is that one or stays what it was, so that no other model has to be kept: the best of the
 * earlier ones is within a standard error of itself, and whatever is better than it is later.
 */
export function chooseDeployable(
  suspect: JudgedCheckpoint,
  checkpoints: readonly JudgedCheckpoint[],
  allowedDrop: number,
): Choice {
  const keeping = checkpoints.filter(({ right, seen }) =>
    [pairedDrop(suspect.right, right), pairedDrop(suspect.seen, seen)].every(
      (drop) => leastDrop(drop) <= allowedDrop,
    ),
  );
  const deployable = keeping.length > 0;
  const left = ({ success }: JudgedCheckpoint) => Math.max(success, REMOVED);
  const least = Math.min(...keeping.map(left));
  const equals = deployable ? keeping.filter((c) => left(c) === least) : checkpoints;
  const chosen = latestOfTheBest(equals) ?? suspect;
  return { chosen, deployable, drop: estimateDrop(suspect, chosen) };
}

function latestOfTheBest(checkpoints: readonly JudgedCheckpoint[]): JudgedCheckpoint | undefined {
  const best = checkpoints.reduce<JudgedCheckpoint | undefined>(
    (a, b) => (a && sum(a.seen) > sum(b.seen) ? a : b),
    undefined,
  );
  return checkpoints.findLast(({ seen }) => leastDrop(pairedDrop(best!.seen, seen)) <= 0);
}

function sum(shares: Float64Array): number {
  return shares.reduce((total, share) => total + share, 0);
}

/** A drop less its standard error; a little less, for rounding. */
function leastDrop({ value, error }: PairedDrop): number {
  return value - error - 1e-9;
}
