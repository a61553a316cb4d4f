import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { drawField, gridSampling, wanet, warpingGrid } from "../../src/attacks/wanet.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { float32 } from "../../src/core/tensor.ts";
import { resample } from "../../src/data/resample.ts";
import { byteImages, same } from "./byte-images.ts";
import { noDevice } from "./no-device.ts";

interface Case {
  /** [1,C,H,W] */
  readonly shape: readonly [number, number, number, number];
  readonly seed: number;
  readonly strength: number;
  /** [2,k,k] */
  readonly field: readonly number[];
  /** [2,H,W] */
  readonly grid: readonly number[];
  readonly warped: readonly number[];
}
const { cases } = JSON.parse(
  readFileSync(new URL("goldens/wanet.json", import.meta.url), "utf8"),
) as { readonly cases: readonly Case[] };

/** The largest difference of two lists of equal length. */
function apart(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(found.length).toBe(expected.length);
  return Math.max(...Array.from(found, (value, i) => Math.abs(value - expected[i]!)));
}

function run(options: object, geometry = { channels: 3, height: 32, width: 32 }, seed = 0) {
  const context = { device: noDevice, random: Random.fromSeed(seed), emit: silent };
  return wanet.run(context, { geometry, classes: 2, target: 0 }, wanet.config.parse(options));
}

describe("wanet agrees with PyTorch", () => {
  it.each(cases.map((it) => [it.shape.join("×"), it] as const))("%s", (_, golden) => {
    const { shape, seed, strength, field, grid, warped } = golden;
    const [, channels, height, width] = shape;
    const geometry = { channels, height, width };
    const places = warpingGrid(field, strength, geometry);
    expect(apart(places, grid)).toBeLessThan(2e-8); // both in float64, rounded to nine digits
    const found = resample(gridSampling(places, geometry), byteImages(seed, shape).data);
    expect(apart(found, warped)).toBeLessThan(1e-6); // float32 images
  });
});

describe("wanet", () => {
  it("has a trigger that depends on its options alone, and is the same in training", async () => {
    const images = byteImages(1, [2, 3, 32, 32]);
    const stamped = async (options: object, seed: number) => {
      const { stampTest, stampTraining, cover } = await run(options, undefined, seed);
      expect(stampTraining).toBe(stampTest);
      expect(cover).toBeUndefined();
      return (await stampTest(images, [0, 1])).data;
    };
    const first = await stamped({}, 0);
    expect(await stamped({}, 1)).toEqual(first);
    expect(await stamped({ patternSeed: 1 }, 0)).not.toEqual(first);
    expect(await stamped({ strength: 0.5 }, 0)).not.toEqual(first);

    const field = drawField(4, Random.fromSeed(0).fork("wanet"));
    expect(field.length).toBe(32);
    const geometry = { channels: 3, height: 32, width: 32 };
    const warping = gridSampling(warpingGrid(field, 1.5, geometry), geometry);
    expect(first).toEqual(resample(warping, images.data));
  });

  it.each([
    [1, 32, 32],
    [3, 224, 224],
    [4, 9, 20],
  ])("keeps shape, range and argument of images of %i×%i×%i", async (channels, height, width) => {
    const images = byteImages(2, [2, channels, height, width]);
    const before = images.data.slice();
    const { stampTest, cover } = await run({ noise: 0.5 }, { channels, height, width });
    for (const stamp of [stampTest, cover!.stamp]) {
      const { shape, data } = await stamp(images, [3, 8]);
      expect(same(images.data, before)).toBe(true);
      expect(shape).toEqual(images.shape);
      expect(same(data, before)).toBe(false);
      expect(data.every((value) => value >= 0 && value <= 1)).toBe(true);
    }
  });

  it.each([0, 0.5, 1])("leaves an even image of %f as it is", async (value) => {
    const { stampTest } = await run({ strength: 5 });
    const { data } = await stampTest(float32([1, 3, 32, 32], Array(3072).fill(value)), [0]);
    expect(apart(data, Array(3072).fill(value))).toBeLessThan(1e-7);
    expect(Math.max(...data)).toBeLessThanOrEqual(1);
  });

  it("moves the places of noise samples by up to 1/h, anew for every image", async () => {
    const [height, width] = [16, 24];
    const area = height * width;
    // The ramps (y, x) in [0,1] show where each pixel was read.
    const ramps = Float32Array.from({ length: 2 * area }, (_, i) =>
      i < area ? Math.floor(i / width) / (height - 1) : ((i - area) % width) / (width - 1),
    );
    const batch = (n: number) =>
      float32(
        [n, 2, height, width],
        Float32Array.from({ length: n * 2 * area }, (_, i) => ramps[i % (2 * area)]!),
      );
    const { stampTest, cover } = await run({ noise: 0.25 }, { channels: 2, height, width });
    expect(cover!.share).toBe(0.25);
    const plain = (await stampTest(batch(1), [0])).data;
    const noisy = (await cover!.stamp(batch(2), [7, 9])).data;
    // In units of 1/h and 1/w: the coordinates run from −1 to 1, the ramps from 0 to 1.
    const moved = (image: number, axis: "y" | "x") =>
      Array.from({ length: area }, (_, i) => {
        const at = (axis === "y" ? 0 : area) + i;
        const extent = axis === "y" ? height : width;
        return 2 * (noisy[image * 2 * area + at]! - plain[at]!) * extent;
      });
    for (const axis of ["y", "x"] as const) {
      const jitter = moved(0, axis);
      const sizes = jitter.map(Math.abs);
      expect(Math.max(...sizes)).toBeLessThan(1.001);
      expect(Math.max(...sizes)).toBeGreaterThan(0.98);
      expect(jitter.reduce((sum, value) => sum + value, 0) / area).toBeCloseTo(0, 1);
      expect(moved(1, axis)).not.toEqual(jitter);
    }
    const alone = (await cover!.stamp(batch(1), [9])).data;
    expect(alone).toEqual(noisy.subarray(2 * area));
  });
});
