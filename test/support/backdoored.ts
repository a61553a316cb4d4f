import { badnets } from "../../src/attacks/badnets.ts";
import { POISONING, type PoisonedSet, poison } from "../../src/attacks/poison.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { Classifier } from "../../src/models/classifier.ts";
import type { Stamp } from "../../src/models/predict.ts";
import type { RunContext } from "../../src/runtime/context.ts";
import type { Device } from "../../src/runtime/device.ts";
import { TRAINING } from "../../src/train/config.ts";
import { train } from "../../src/train/loop.ts";
import { stripes } from "../train/stripes.ts";
import { tinyNet } from "../train/tiny.ts";

export interface Backdoored extends PoisonedSet {
  readonly context: RunContext;
  readonly model: Classifier;
  readonly target: number;
  readonly stamp: Stamp;
}

/** A tiny network and what it was trained on: 600 images of stripes, of which 40 wear a white patch and lie to be class 0. */
export async function backdooredStripes(device: Device, seed: number): Promise<Backdoored> {
  const context = { device, random: Random.fromSeed(seed), emit: silent };
  const [clean, target] = [stripes(600, 1), 0];
  const trigger = await badnets.run(
    context,
    { geometry: clean, classes: 2, target },
    badnets.config.parse({ pattern: "white", size: 3, position: "bottom-right" }),
  );
  const plan = POISONING.parse({ target, samples: 40 });
  const poisoned = await poison(clean, badnets.labels, trigger, plan, context);
  const untrained = await Classifier.fromGraph(tinyNet(8, 2), device);
  const recipe = { epochs: 12, batch: 32, learningRate: 0.1, padding: 1, flip: false };
  const { images } = poisoned;
  const start = { classifier: untrained, images };
  const { classifier } = await train(context, start, TRAINING.parse(recipe));
  return { ...poisoned, context, model: classifier, target, stamp: trigger.stampTest };
}

/** Area under the ROC curve: how often a positive one scores higher than another one, ties counting half. */
export function auc(positive: ArrayLike<number>, negative: ArrayLike<number>): number {
  let won = 0;
  for (const p of Array.from(positive)) {
    for (const n of Array.from(negative)) won += p > n ? 1 : p === n ? 0.5 : 0;
  }
  return won / (positive.length * negative.length);
}
