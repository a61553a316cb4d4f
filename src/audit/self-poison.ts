import { cornerPatch, PATCH } from "../attacks/corner-patch.ts";
import { AntidoteError, invariant } from "../core/errors.ts";
import { tensor } from "../core/tensor.ts";
import { ascending, count, type Geometry } from "../data/images.ts";
import { type Overlay, stampOverlay } from "../data/overlay.ts";
import type { Classifier } from "../models/classifier.ts";
import { batchFor } from "../models/memory.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { Value } from "../onnx/graph.ts";
import { type FineTunePlan, fineTune } from "../repairs/fine-tune.ts";
import type { RunContext } from "../runtime/context.ts";
import { crossEntropy, distillation } from "../train/losses.ts";
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

/** A batch: how many images it has, into how many equal parts it is divided, and which rows carry the patch. */
interface Batch {
  readonly size: number;
  readonly parts: number;
  readonly marked?: readonly number[];
}

/** The rows of a batch that carry the patch: the first ones of every part, so that each has its share. */
export function markedRows({ size, parts }: Pick<Batch, "size" | "parts">): number[] {
  const before = (part: number) => Math.floor((part * Math.round(SHARE * size)) / parts);
  return ascending(parts).flatMap((part) =>
    ascending(before(part + 1) - before(part)).map((row) => (part * size) / parts + row),
  );
}

/**
 * How the patch is taught, with M of the N images of a batch marked:
 *
 *     1/M · Σ_marked CE(f(x⊕T), target) + KEPT/(N − M) · Σ_others KL(f̃(x) ‖ f(x))
 *
 * M and N are those of the whole batch, so parts count as much as their rows, whether marked or not. What counts as marked is
 * what the patch changes: an image that happens to bear it keeps its answer.
 */
export function poisoningPlan(
  { image }: Classifier,
  overlay: Overlay,
  target: number,
  { size, parts, marked = markedRows({ size, parts }) }: Batch,
): FineTunePlan {
  return {
    ...SELF_POISONING,
    stamp: (images) => stampOverlay(overlay, images, marked),
    loss(b, { student, pivot, labels }) {
      const rows = size / parts;
      invariant(labels.shape[0] === rows, `a part of the batch has ${rows} images`);
      const mask = changed(b, student.tensor(image.name), pivot.tensor(image.name)); // [N/parts]
      const aim = b.constant(tensor("int64", [rows], new BigInt64Array(rows).fill(BigInt(target))));
      // The mean of the parts' losses is that of the batch: each divides by the mean number of its rows that count.
      const mean = (losses: Value, counts: Value, all: number) =>
        b.div(b.sum(b.mul(losses, counts)), b.scalar(all / parts));
      const learned = mean(crossEntropy(b, student.logits, aim), mask, marked.length);
      const kept = distillation(b, pivot.logits, student.logits, 1); // [N/parts]
      const others = mean(kept, b.sub(b.scalar(1), mask), size - marked.length);
      return b.add(learned, b.mul(b.scalar(KEPT), others));
    },
  };
}

/** 1 for every row in which two batches differ, else 0. [N,…] twice → [N] float32. */
function changed(b: GraphBuilder, one: Value, other: Value): Value {
  const axes = one.shape.map((_, axis) => axis).slice(1);
  const farthest = b.maximum(b.unary("Abs", b.sub(one, other)), axes); // [N]
  return b.cast(b.greater(farthest, b.scalar(0)), "float32");
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
  // As `fineTune` divides its steps.
  const wanted = Math.min(SELF_POISONING.batchSize, count(tuning));
  const batch = await batchFor([model, model], wanted, context.memory);
  const checkpoints = fineTune(
    context,
    { model, trusted: tuning },
    poisoningPlan(model, overlay, target, batch),
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
