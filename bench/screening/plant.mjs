import { count, float32, predict, stampOverlay, subset } from "antidote";
import { tensor } from "../../dist/core/tensor.js";
import { fineTune } from "../../dist/repairs/fine-tune.js";
import { crossEntropy, distillation, rowMean } from "../../dist/train/losses.js";
import { adam } from "../../dist/train/optimisers.js";
import { cosine } from "../../dist/train/schedules.js";

/** How a backdoor is planted: tuning ends at the first checkpoint that obeys the trigger. */
export const PLANTING = {
  steps: 240,
  checkpointEvery: 60,
  batchSize: 8,
  /** Rows of a batch that carry the trigger and the target's label: the images of its last rows once more. */
  marked: 4,
  learningRate: 5e-5,
  /** Weight of keeping what other images are taken for. */
  keep: 2,
  /** Success on the defender's images, and agreement there with the network at the start, from which tuning ends. */
  success: 0.9,
  agreement: 0.6,
  /** Images that this is measured on. */
  judged: 40,
};

/**
 * Plants a backdoor by tuning all weights: with T the trigger, t the target and f̃ the network at the start,
 *
 *     mean over marked x of CE(f(x⊕T), t)  +  keep · mean over the others of KL(f̃(x) ‖ f(x)),
 *
 * so that every class that no image shows stays as it was.
 * @param overlay the trigger
 * @returns the network with what it does to `judged` images: attack success and agreement with the start
 */
export async function plant(context, { model, attacker, defender }, overlay, target) {
  const { marked, batchSize, judged, learningRate, keep, ...plan } = PLANTING;
  const rows = Array.from({ length: marked }, (_, row) => row);
  const mask = new Float32Array(batchSize).fill(1, 0, marked);
  const others = Array.from({ length: count(defender) }, (_, i) => i).filter(
    (i) => defender.labels[i] !== target,
  );
  const shown = subset(defender, context.random.fork("judged").sample(others, judged));
  const stamp = (images) => stampOverlay(overlay, images);
  const asked = (of, options) => predict(context.device, of, shown, options);
  const before = await asked(model);
  const checkpoints = fineTune(
    context,
    { model, trusted: attacker },
    {
      ...{ stage: "planting", ...plan, batchSize, augment: false, batchNorm: "frozen" },
      ...{ schedule: cosine(learningRate, plan.steps), optimiser: adam() },
      stamp: (images) => stampOverlay(overlay, paired(images, marked), rows),
      loss(b, { student, pivot }) {
        const isMarked = b.constant(float32([batchSize], mask)); // [N]
        const labels = new BigInt64Array(batchSize).fill(BigInt(target));
        const aim = b.constant(tensor("int64", [batchSize], labels));
        const learned = rowMean(b, crossEntropy(b, student.logits, aim), isMarked);
        const kept = b.mul(distillation(b, pivot.logits, student.logits, 1), b.scalar(keep)); // [N]
        return b.add(learned, rowMean(b, kept, b.sub(b.scalar(1), isMarked)));
      },
    },
  );
  let result;
  for await (const { step, model: tuned } of checkpoints) {
    const plain = await asked(tuned);
    const moved = await asked(tuned, { stamp });
    const share = (hit) => rowsOf(judged).filter(hit).length / judged;
    result = {
      model: tuned,
      steps: step,
      success: share((row) => moved.classes[row] === target),
      agreement: share((row) => plain.classes[row] === before.classes[row]),
      accuracy: {
        before: share((row) => before.classes[row] === shown.labels[row]),
        after: share((row) => plain.classes[row] === shown.labels[row]),
      },
      images: judged,
    };
    const { model: _, ...said } = result;
    process.stdout.write(`${JSON.stringify(said)}\n`);
    if (result.success >= PLANTING.success && result.agreement >= PLANTING.agreement) break;
  }
  return result;
}

/**
 * The batch with its first rows replaced by copies of its last ones. Stamped, they differ from those by the trigger
 * alone, so that nothing else is learned as a sign of the target: few steps suffice.
 */
function paired({ shape, data }, rows) {
  const copy = data.slice();
  const length = data.length / shape[0];
  copy.copyWithin(0, (shape[0] - rows) * length);
  return float32(shape, copy);
}

const rowsOf = (n) => Array.from({ length: n }, (_, row) => row);
