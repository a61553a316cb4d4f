import { invariant } from "../core/errors.ts";
import type { Random } from "../core/random.ts";
import { float32 } from "../core/tensor.ts";
import { augment } from "../data/augment.ts";
import { count, type Geometry, type ImageSet, imageLength } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import type { Stamp } from "../models/predict.ts";
import type { Checkpoint } from "../repairs/repair.ts";
import type { RunContext } from "../runtime/context.ts";
import { type JudgedCheckpoint, judge, type Probe } from "./deploy.ts";

/** Raised whenever checkpoints would be judged otherwise. */
export const JURY_REVISION = 3;

/** Views of an image, itself among them, unless there are so many images that fewer do. */
const VIEWS = 16;
/** Views of all images together. */
const ENOUGH = 1600;
/** The suspect must be right on the views as often as this share of how often it is on the images themselves. */
const TAKEN = 0.9;

/**
 * The held-out images by which the checkpoints of a repair are judged. A hundred answers tell a drop of two points from one of six
 * only by luck, so every image is looked at in several views, moved and mirrored at random as repairs do it, the same for all
 * checkpoints; what counts of an image is the share of its views that are right. A drop is allowed that is on the images alone,
 * too: a repair may learn what is only seen in views. On 36 repairs the error of the estimated drop
 * falls from 3.3 to 1.9 points by that, and its standard error as well (docs/evidence/repairs.md).
 *
 * That holds for what the suspect takes as views of the same: where it does not, digits for instance, which mirrored are none,
 * the images alone count.
 */
export interface Jury {
  /** The suspect, judged. */
  readonly suspect: JudgedCheckpoint;
  /** How many views of each image it looks at; 1 is the image alone. */
  readonly views: number;
  judge(context: RunContext, checkpoint: Checkpoint): Promise<JudgedCheckpoint>;
}

export async function openJury(
  context: RunContext,
  model: Classifier,
  heldOut: ImageSet,
  probe: Probe | undefined,
): Promise<Jury> {
  const itself = { step: 0, loss: null, model };
  const others = othersOf(heldOut, context.random.fork("views"));
  const viewed = await judge(context, itself, heldOut, probe, others);
  const views = isTaken(viewed, others.length) ? others : [];
  return {
    suspect: views === others ? viewed : { ...viewed, seen: viewed.right },
    views: 1 + views.length,
    judge: (own, checkpoint) => judge(own, checkpoint, heldOut, probe, views),
  };
}

/** How many views a jury has of so many images, if the suspect takes them. */
export function viewsFor(images: number): number {
  return Math.max(1, Math.min(VIEWS, Math.floor(ENOUGH / images)));
}

/** The views beside the images themselves. */
function othersOf(heldOut: ImageSet, random: Random): Stamp[] {
  return Array.from({ length: viewsFor(count(heldOut)) - 1 }, (_, view) =>
    viewOf(heldOut, random.fork(String(view))),
  );
}

/** One view of every image. */
function viewOf(geometry: Geometry, random: Random): Stamp {
  const length = imageLength(geometry);
  return (images, positions) => {
    const data = images.data.slice();
    for (const [row, position] of Array.from(positions).entries()) {
      const own = data.subarray(row * length, (row + 1) * length);
      own.set(augment(own, geometry, random.fork(String(position))));
    }
    return float32(images.shape, data);
  };
}

function isTaken({ seen, accuracy }: JudgedCheckpoint, others: number): boolean {
  invariant(seen.length > 0, "somebody judges");
  const all = seen.reduce((sum, share) => sum + share, 0) / seen.length;
  // `all` is the mean over the image itself and the others.
  return (1 + others) * all - accuracy.value >= TAKEN * others * accuracy.value;
}
