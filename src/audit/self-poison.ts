import { cornerPatch, PATCH } from "../attacks/corner-patch.ts";
import { AntidoteError } from "../core/errors.ts";
import { float32, tensor } from "../core/tensor.ts";
import { ascending, type Geometry } from "../data/images.ts";
import { type Overlay, stampOverlay } from "../data/overlay.ts";
import type { Classifier } from "../models/classifier.ts";
import { fineTune } from "../repairs/fine-tune.ts";
import type { RunContext } from "../runtime/context.ts";
import { crossEntropy, distillation, rowMean } from "../train/losses.ts";
import { sgd } from "../train/optimisers.ts";
import { cosine } from "../train/schedules.ts";
import { judge, type Probe } from "./deploy.ts";
import type { Patient } from "./repair-model.ts";

/** A copy of a model with a backdoor that its owner has planted and knows. */
export interface PoisonedCopy {
  readonly model: Classifier;
  readonly probe: Probe;
}

/** Share of every batch that carries the patch and the target's label. */
const SHARE = 0.2;
/** Weight of leaving the answers on other images as they are. */
const KEPT = 3;
/** Success on held-out images from which the backdoor counts as planted. */
export const PLANTED = 0.9;
/** A copy that loses more accuracy takes clean images for the target as well. */
const MOST_LOST = 0.15;

/** Raised whenever a copy would be poisoned in another way. */
export const POISONING_REVISION = 2;

/**
 * How it is planted: slowly, since at three times the rate networks that have fit their images lost more accuracy than a copy may.
 * With frozen batch norm some take half of all clean images for the target, too.
 */
export const SELF_POISONING = {
  ...{ stage: "self-poisoning", steps: 300, checkpointEvery: 300, batchSize: 128 },
  ...{ schedule: cosine(0.003, 300), optimiser: sgd({ momentum: 0.9 }) },
  ...{ augment: true, batchNorm: "reinsert" as const },
};

/** The trigger that is planted: the patch of BadNets in a random corner. */
function triggerFor({ random }: Pick<RunContext, "random">, geometry: Geometry): Overlay {
  const corners = PATCH.shape.position.unwrap().options;
  const [position] = random.fork("corner").sample(corners, 1);
  return cornerPatch(geometry, PATCH.parse({ position })).overlay;
}

/** What a copy that was poisoned before is judged by: the trigger depends on the random stream alone. */
export function plantedProbe(
  context: Pick<RunContext, "random">,
  geometry: Geometry,
  target: number,
): Probe {
  const overlay = triggerFor(context, geometry);
  return { target, stamp: (images) => stampOverlay(overlay, images) };
}

/**
 * Plants a BadNets backdoor in a copy of a model by fine-tuning it on trusted images, some of which carry
 * the patch in a random corner and the target's label. A defender who knows the trigger can measure what a repair
 * or a detector is worth on this very network (Pick your Poison, Section V-C). A backdoor that was trained in from
 * the start may be harder to remove and to find, so what is measured this way is an upper bound.
 *
 * Other images of a batch carry the patch in every step: fixed ones, four hundred of which are soon known by
 * heart, leave the patch without meaning (success on held-out images 10 to 20 % after 200 steps).
 * @throws `CANNOT_POISON` if the copy does not learn the trigger; `DIVERGED`, `CANCELLED`
 */
export async function poisonCopy(
  context: RunContext,
  { model, tuning, heldOut }: Patient,
  target: number,
): Promise<PoisonedCopy> {
  const overlay = triggerFor(context, tuning);
  const marked = (rows: number) => ascending(Math.round(SHARE * rows));
  const checkpoints = fineTune(
    context,
    { model, trusted: tuning },
    {
      ...SELF_POISONING,
      stamp: (images) => stampOverlay(overlay, images, marked(images.shape[0]!)),
      // Marked rows: CE(f(x⊕T), target). The others: KEPT · KL(f̃(x) ‖ f(x)).
      loss(b, { student, pivot, labels }) {
        const [rows] = labels.shape as [number];
        const isMarked = float32([rows], new Float32Array(rows).fill(1, 0, marked(rows).length));
        const mask = b.constant(isMarked); // [N]
        const aim = b.constant(
          tensor("int64", [rows], new BigInt64Array(rows).fill(BigInt(target))),
        );
        const learned = rowMean(b, crossEntropy(b, student.logits, aim), mask);
        const kept = distillation(b, pivot.logits, student.logits, 1); // [N]
        const others = rowMean(b, kept, b.sub(b.scalar(1), mask));
        return b.add(learned, b.mul(b.scalar(KEPT), others));
      },
    },
  );
  let copy = model;
  for await (const checkpoint of checkpoints) copy = checkpoint.model;
  const probe = plantedProbe(context, tuning, target);
  const judged = (step: number, of: Classifier) =>
    judge(context, { step, loss: null, model: of }, heldOut, probe);
  const before = await judged(0, model);
  const { success, accuracy } = await judged(SELF_POISONING.steps, copy);
  const lost = before.accuracy.value - accuracy.value;
  if (success >= PLANTED && lost <= MOST_LOST) return { model: copy, probe };
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  throw new AntidoteError(
    "CANNOT_POISON",
    `A copy of the model obeys a planted trigger on ${percent(success)} of the images, and its accuracy falls by ${percent(lost)}: that is no backdoor to test with.`,
    { next: "Give more trusted images: 50 per class are a good number." },
  );
}
