import { afterAll, beforeAll, expect, it } from "vitest";
import { badnets } from "../../src/attacks/badnets.ts";
import { POISONING, poison } from "../../src/attacks/poison.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { subset } from "../../src/data/images.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { predict, type Stamp } from "../../src/models/predict.ts";
import { openDevice, type ProcessDevice } from "../../src/runtime/process-device.ts";
import { TRAINING } from "../../src/train/config.ts";
import { train } from "../../src/train/loop.ts";
import { stripes } from "../train/stripes.ts";
import { tinyNet } from "../train/tiny.ts";

let device: ProcessDevice;
beforeAll(async () => {
  device = await openDevice({ name: "cpu", threads: 2 });
});
afterAll(() => device.close());

it("plants a backdoor: the trained model obeys the patch and is accurate without it", async () => {
  const context = { device, random: Random.fromSeed(3), emit: silent };
  const clean = stripes(400, 1);
  const options = { pattern: "white", size: 3, position: "bottom-right" };
  const trigger = await badnets.run(
    context,
    { geometry: clean, classes: 2, target: 0 },
    badnets.config.parse(options),
  );
  const plan = POISONING.parse({ target: 0, samples: 60 });
  const { images } = await poison(clean, badnets.labels, trigger, plan, context);
  const config = TRAINING.parse({
    epochs: 12,
    batch: 32,
    learningRate: 0.1,
    padding: 1,
    flip: false,
  });
  const untrained = await Classifier.fromGraph(tinyNet(8, 2), device);
  const { classifier } = await train(context, { classifier: untrained, images }, config);

  const test = stripes(400, 2);
  const others = [...test.labels.keys()].filter((index) => test.labels[index] === 1);
  const shareOfTarget = async (stamp?: Stamp) => {
    const marked = subset(test, others);
    const { classes } = await predict(device, classifier, marked, stamp ? { stamp } : {});
    return classes.filter((predicted) => predicted === 0).length / classes.length;
  };
  expect(await shareOfTarget()).toBeLessThan(0.1);
  expect(await shareOfTarget(trigger.stampTest)).toBeGreaterThan(0.9);
});
