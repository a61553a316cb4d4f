import type { ImageSet } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import { ARCHITECTURE, freshClassifier } from "../models/fresh.ts";
import type { RunContext } from "../runtime/context.ts";
import { TRAINING } from "../train/config.ts";
import { train } from "../train/loop.ts";

/** First-stage channels and epochs of the surrogate: half and half of what `antidote train` does by default. */
const WIDTH = 16;
const EPOCHS = 4;

/**
 * A small network of the victim's architecture, trained on clean images, for attackers who have no other.
 * @param checkpoint where a stopped training continues from
 * @throws the errors of `train`
 */
export async function trainSurrogate(
  context: RunContext,
  images: ImageSet,
  checkpoint?: string,
): Promise<Classifier> {
  const own = { ...context, random: context.random.fork("surrogate") };
  const fresh = await freshClassifier(own, images, ARCHITECTURE.parse({ width: WIDTH }));
  const config = TRAINING.parse({ epochs: EPOCHS });
  const { classifier } = await train(own, { classifier: fresh, images, checkpoint }, config);
  return classifier;
}
