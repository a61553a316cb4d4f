import { ascending, count, type ImageSet, subset } from "../data/images.ts";
import type { Detection, Detector, DetectorInput } from "../detectors/detector.ts";
import type { Examined } from "../inversion/examined.ts";
import type { SmallestTriggers } from "../inversion/smallest.ts";
import type { Classifier } from "../models/classifier.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Configured } from "./options.ts";

/** One of several searches, with images and random starts of its own. */
export interface Repeat {
  readonly images: ImageSet;
  /** The same context with the repeat's random stream, and its number in progress events. */
  within(context: RunContext): RunContext;
}

/** Several searches on random four fifths of the images each; a single one takes all of them. */
export function repeatsOf({ random }: RunContext, tuning: ImageSet, total: number): Repeat[] {
  return Array.from({ length: total }, (_, r) => {
    const stream = random.fork(`repeat/${r}`);
    const size = Math.ceil(0.8 * count(tuning));
    const chosen = () => stream.fork("subset").sample(ascending(count(tuning)), size);
    return {
      images: total === 1 ? tuning : subset(tuning, chosen()),
      within: (context) => ({
        ...context,
        random: stream,
        emit: (event) => {
          const stage = total === 1 ? event.stage : `${event.stage} (${r + 1} of ${total})`;
          context.emit({ ...event, stage });
        },
      }),
    };
  });
}

/** All repeats examine the same classes, so that their scores can be averaged. The part of every repeat that needs no repaired model; undefined where the detector has none. */
export async function searchAll(
  context: RunContext,
  repeats: readonly Repeat[],
  { method, config }: Configured<Detector>,
  model: Classifier,
  examined?: Examined,
): Promise<(SmallestTriggers | undefined)[]> {
  const found = [];
  for (const { within, images } of repeats) {
    found.push(await method.search?.(within(context), { model, search: images, examined }, config));
  }
  return found;
}

/** The evidence of every repeat. */
export async function detectAll(
  context: RunContext,
  repeats: readonly Repeat[],
  { method, config }: Configured<Detector>,
  models: Pick<DetectorInput, "model" | "repaired" | "heldOut" | "examined">,
  found: readonly (SmallestTriggers | undefined)[],
): Promise<Detection[]> {
  const detections = [];
  for (const [r, { within, images }] of repeats.entries()) {
    const triggers = found[r];
    const input = { ...models, search: images, ...(triggers ? { triggers } : {}) };
    detections.push(await method.run(within(context), input, config));
  }
  return detections;
}
