import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { toNumbers } from "../../src/core/tensor.ts";
import { readCifar10 } from "../../src/data/cifar10.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { ARCHITECTURE, channelStatistics, freshClassifier } from "../../src/models/fresh.ts";
import { predict } from "../../src/models/predict.ts";
import { testDevice } from "../support/device.ts";

const device = await testDevice();

/** Four images: 51 and 204 in turn in two channels, 255 everywhere in the third. */
const IMAGES: ImageSet = {
  channels: 3,
  height: 16,
  width: 16,
  images: Uint8Array.from({ length: 4 * 3 * 256 }, (_, at) =>
    Math.floor(at / 256) % 3 === 1 ? 255 : at % 2 === 0 ? 51 : 204,
  ),
  labels: Int32Array.of(0, 1, 2, 0),
  classNames: ["a", "b", "c"],
};

describe("a fresh classifier", () => {
  it("normalises by the statistics of its images", () => {
    expect(channelStatistics(IMAGES)).toEqual({ mean: [0.5, 1, 0.5], std: [0.3, 1, 0.3] });
  });

  it.skipIf(!process.env["ANTIDOTE_DATA"])(
    "knows the usual numbers of CIFAR-10 (needs ANTIDOTE_DATA)",
    async () => {
      const set = await readCifar10(join(process.env["ANTIDOTE_DATA"] ?? "", "cifar10"));
      expect(channelStatistics(set)).toEqual({
        mean: [0.4914, 0.4822, 0.4465],
        std: [0.247, 0.2435, 0.2616],
      });
    },
  );

  it("predicts for images in [0,1] of any extents, and depends on the seed alone", async () => {
    const make = (seed: number) =>
      freshClassifier(
        { device, random: Random.fromSeed(seed), emit: silent },
        IMAGES,
        ARCHITECTURE.parse({ width: 2 }),
      );
    const [one, same, other] = [await make(1), await make(1), await make(2)];
    expect(one.preprocessing.mean).toEqual([0, 0, 0]);
    expect(toNumbers(one.constant("std"))[0]).toBeCloseTo(0.3, 7);
    const logits = async (classifier: typeof one) =>
      (await predict(device, classifier, IMAGES)).logits;
    expect(await logits(one)).toHaveLength(4 * 3);
    expect(await logits(same)).toEqual(await logits(one));
    expect(await logits(other)).not.toEqual(await logits(one));
  });

  it("begins as networks for ImageNet do where that is wanted", async () => {
    const context = { device, random: Random.fromSeed(0), emit: silent };
    const architecture = ARCHITECTURE.parse({ width: 2, stem: "imagenet" });
    const classifier = await freshClassifier(context, IMAGES, architecture);
    expect(classifier.weights.get("conv1.weight")?.shape).toEqual([2, 3, 7, 7]);
  });
});
