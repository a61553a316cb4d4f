import { proportion } from "../core/statistics.ts";
import { stampTrigger } from "../data/fixed-trigger.ts";
import { count, type ImageSet, indicesOfOthers, subset } from "../data/images.ts";
import type { Inverted } from "../inversion/invert.ts";
import { compilePredictor } from "../models/predict.ts";
import type { RunContext } from "../runtime/context.ts";
import type { ClassEvidence, DetectorInput } from "./detector.ts";

/** What a found trigger does to images that the search has not seen. */
export type Measured = Inverted & Pick<ClassEvidence, "success" | "kept">;

/** Puts every trigger on the held-out images of other classes and asks both models; one of them, if they are the same. */
export async function measureTriggers(
  context: RunContext,
  { model, repaired, heldOut }: DetectorInput,
  triggers: readonly Inverted[],
): Promise<Measured[]> {
  const batchSize = Math.min(100, count(heldOut));
  const asked = repaired === model ? [model] : [model, repaired];
  const predictors = await Promise.all(
    asked.map((m) => compilePredictor(context.device, m, batchSize)),
  );
  try {
    const measured: Measured[] = [];
    for (const found of triggers) {
      const others = imagesOfOthers(heldOut, found.target);
      const stamp = (images: Parameters<typeof stampTrigger>[1]) =>
        stampTrigger(found.trigger, images);
      const [suspect, fixed = suspect] = await Promise.all(
        predictors.map(
          async (p) => (await p.predict(others, { stamp, signal: context.signal })).classes,
        ),
      );
      const share = (classes: Int32Array, wanted: (row: number) => number) =>
        proportion(
          classes.reduce((n, c, row) => n + (c === wanted(row) ? 1 : 0), 0),
          count(others),
        );
      measured.push({
        ...found,
        success: {
          suspect: share(suspect!, () => found.target),
          repaired: share(fixed!, () => found.target),
        },
        kept: share(fixed!, (row) => others.labels[row]!),
      });
    }
    return measured;
  } finally {
    await Promise.all(predictors.map((p) => p.release()));
  }
}

/** The images that are not of class `target`. */
export function imagesOfOthers(set: ImageSet, target: number): ImageSet {
  return subset(set, indicesOfOthers(set, target));
}
