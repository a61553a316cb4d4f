import type { FloatTensor } from "../core/tensor.ts";
import { float32 } from "../core/tensor.ts";
import { type FixedTrigger, stampTrigger } from "../data/fixed-trigger.ts";
import { batchTensors, type ImageSet, indicesByClass } from "../data/images.ts";
import { tensorToPng } from "../data/png.ts";
import type { Classifier } from "../models/classifier.ts";
import { compilePredictor, type Predictor } from "../models/predict.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Sample } from "./record.ts";

/** PNG files by the names under which the record mentions them. */
export type Pictures = Map<string, Uint8Array>;

/** Factor on the difference between an image and its triggered form, around middle grey. */
export const DIFFERENCE_GAIN = 3;

type Prediction = Sample["onOriginal"]["suspect"];

/**
 * Trusted images with and without a trigger, and what both models say: one image of each of the first
 * `wanted` classes other than the target's.
 * @returns the record's samples; their pictures are added to `pictures`
 */
export async function takeSamples(
  context: RunContext,
  models: { readonly suspect: Classifier; readonly repaired: Classifier },
  heldOut: ImageSet,
  { trigger, target }: { readonly trigger: FixedTrigger; readonly target: number },
  pictures: Pictures,
  wanted = 5,
): Promise<Sample[]> {
  const indices = indicesByClass(heldOut)
    .flatMap(([first], label) => (first === undefined || label === target ? [] : [first]))
    .slice(0, wanted);
  const originals = batchTensors(heldOut, indices).images; // [n,C,H,W]
  const triggered = stampTrigger(trigger, originals);
  const ask = async (model: Classifier) => {
    const predictor = await compilePredictor(context.device, model, indices.length);
    try {
      return {
        original: await answers(predictor, heldOut, indices),
        triggered: await answers(predictor, heldOut, indices, trigger),
      };
    } finally {
      await predictor.release();
    }
  };
  const suspect = await ask(models.suspect);
  const repaired = await ask(models.repaired);

  const draw = async (kind: string, row: number, image: FloatTensor): Promise<string> => {
    const name = `samples/${row}-${kind}.png`;
    pictures.set(name, await tensorToPng(image));
    return name;
  };
  return Promise.all(
    indices.map(async (index, row) => {
      const original = imageOf(originals, row);
      const stamped = imageOf(triggered, row);
      const difference = stamped.data.map(
        (value, i) => 0.5 + DIFFERENCE_GAIN * (value - original.data[i]!),
      );
      const label = heldOut.labels[index]!;
      return {
        label: { index: label, name: heldOut.classNames[label]! },
        original: await draw("original", row, original),
        triggered: await draw("triggered", row, stamped),
        difference: await draw("difference", row, float32(original.shape, difference)),
        onOriginal: { suspect: suspect.original[row]!, repaired: repaired.original[row]! },
        onTriggered: { suspect: suspect.triggered[row]!, repaired: repaired.triggered[row]! },
      };
    }),
  );
}

async function answers(
  predictor: Predictor,
  set: ImageSet,
  indices: readonly number[],
  trigger?: FixedTrigger,
): Promise<Prediction[]> {
  const { images } = batchTensors(set, indices);
  const { logits, classes } = await predictor.predictBatch(
    trigger ? stampTrigger(trigger, images) : images,
  );
  const width = logits.length / classes.length;
  return Array.from(classes, (index, row) => {
    const scores = logits.subarray(row * width, (row + 1) * width); // [K]
    const total = scores.reduce((sum, score) => sum + Math.exp(score - scores[index]!), 0);
    // The softmax probability of the highest score
    return { index, name: set.classNames[index]!, probability: 1 / total };
  });
}

/** Image `row` of a batch [n,C,H,W], as [C,H,W]. */
function imageOf(batch: FloatTensor, row: number): FloatTensor {
  const [, ...shape] = batch.shape;
  const length = batch.data.length / batch.shape[0]!;
  return float32(shape, batch.data.slice(row * length, (row + 1) * length));
}
