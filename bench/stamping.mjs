import { ATTACKS } from "../dist/attacks/index.js";
import { silent } from "../dist/core/progress.js";
import { Random } from "../dist/core/random.js";
import { ascending, batchTensors } from "../dist/data/images.js";
import { proceduralImages } from "../dist/data/procedural.js";
import { freshClassifier } from "../dist/models/fresh.js";
import { medianWithInterval } from "./measure.mjs";

/** Channels of the surrogate's first stage, as `antidote train` makes it. */
const SURROGATE = { model: "resnet18", width: 16 };

/**
 * How long every attack takes to mark a batch of 32×32 training images, and which share of a training
 * step that is, as if all its images were marked anew in every step.
 * @param {import("../dist/runtime/device.js").Device} device
 * @param {{batch: number, repeats: number}} config
 * @param {number} step seconds of a training step with as many images
 */
export async function stampingShares(device, { batch, repeats }, step) {
  const context = { device, random: Random.fromSeed(0), emit: silent };
  const set = proceduralImages({ count: batch, size: 32, random: context.random });
  const surrogate = await freshClassifier(context, set, SURROGATE);
  const input = { geometry: set, classes: 10, target: 0, surrogate, photographs: set };
  const positions = ascending(batch);
  const { images } = batchTensors(set, positions);
  const shares = {};
  for (const [name, attack] of Object.entries(ATTACKS)) {
    const trigger = await attack.run(context, input, attack.config.parse({}));
    await trigger.stampTraining(images, positions);
    const seconds = [];
    for (let i = 0; i < repeats; i++) {
      const start = performance.now();
      await trigger.stampTraining(images, positions);
      seconds.push((performance.now() - start) / 1000);
    }
    await trigger.release?.();
    const { value, low, high } = medianWithInterval(seconds);
    shares[name] = { seconds: value, secondsInterval: [low, high], share: value / step };
  }
  return shares;
}
