import { describe, expect, it } from "vitest";
import { mosaic } from "../../src/attacks/patterns.ts";
import { distance, mostDistinct, tsb } from "../../src/attacks/tsb.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { type FloatTensor, float32 } from "../../src/core/tensor.ts";
import { ascending, type Geometry } from "../../src/data/images.ts";
import { noDevice } from "./no-device.ts";

const CIFAR = { channels: 3, height: 32, width: 32 };

function makeTrigger(geometry: Geometry, options: object = {}, seed = 0) {
  const context = { device: noDevice, random: Random.fromSeed(seed), emit: silent };
  return tsb.run(context, { geometry, classes: 2, target: 0 }, tsb.config.parse(options));
}

/** The patches that the attack uses by its defaults. */
function patchesOf(channels: number, side: number, seed = 0): Float32Array[] {
  const random = Random.fromSeed(seed).fork("tsb/patches");
  const candidates = Array.from({ length: 1000 }, () => mosaic(channels, side, random));
  return mostDistinct(candidates, 8);
}

/** Grey images: no patch has a value of 0.5. */
function grey(batch: number, { channels, height, width }: Geometry): FloatTensor {
  const data = new Float32Array(batch * channels * height * width).fill(0.5);
  return float32([batch, channels, height, width], data);
}

/** The patches found in image `row`, as [patch, top, left], and how many values are not grey. */
function find(
  { data }: FloatTensor,
  row: number,
  { channels, height, width }: Geometry,
  patches: readonly Float32Array[],
) {
  const side = Math.sqrt(patches[0]!.length / channels);
  const length = channels * height * width;
  const image = data.subarray(row * length, (row + 1) * length);
  const isAt = (patch: Float32Array, top: number, left: number) =>
    patch.every((value, at) => {
      const channel = Math.floor(at / side ** 2);
      const y = top + (Math.floor(at / side) % side);
      return image[(channel * height + y) * width + left + (at % side)] === value;
    });
  const found: [patch: number, top: number, left: number][] = [];
  for (let top = 0; top <= height - side; top++) {
    for (let left = 0; left <= width - side; left++) {
      patches.forEach((patch, index) => {
        if (isAt(patch, top, left)) found.push([index, top, left]);
      });
    }
  }
  return { found, changed: image.filter((value) => value !== 0.5).length };
}

const GEOMETRIES = [
  CIFAR,
  { channels: 1, height: 28, width: 40 },
  { channels: 3, height: 224, width: 224 },
];

describe("tsb", () => {
  it.each(GEOMETRIES)(
    "shows exactly one patch in training: $channels×$height×$width",
    async (geometry) => {
      const side = Math.floor((3 * geometry.width) / 32);
      const patches = patchesOf(geometry.channels, side);
      const { stampTraining } = await makeTrigger(geometry);
      const batch = geometry.width > 100 ? 5 : 100;
      const marked = await stampTraining(grey(batch, geometry), ascending(batch));
      for (let row = 0; row < batch; row++) {
        const { found, changed } = find(marked, row, geometry, patches);
        expect(found).toHaveLength(1);
        expect(changed).toBe(patches[0]!.length);
      }
    },
  );

  it.each(GEOMETRIES)(
    "shows all patches at test time, none covered: $channels×$height×$width",
    async (geometry) => {
      const side = Math.floor((3 * geometry.width) / 32);
      const patches = patchesOf(geometry.channels, side);
      const { stampTest } = await makeTrigger(geometry);
      const batch = geometry.width > 100 ? 5 : 100;
      const marked = await stampTest(grey(batch, geometry), ascending(batch));
      for (let row = 0; row < batch; row++) {
        const { found, changed } = find(marked, row, geometry, patches);
        expect(new Set(found.map(([patch]) => patch)).size).toBe(8);
        expect(changed).toBe(8 * patches[0]!.length);
      }
    },
  );

  it("draws patch and place evenly", async () => {
    const batch = 1600;
    const patches = patchesOf(3, 3);
    const { stampTraining } = await makeTrigger(CIFAR);
    const marked = await stampTraining(grey(batch, CIFAR), ascending(batch));
    const all = ascending(batch).map((row) => find(marked, row, CIFAR, patches).found[0]!);
    for (const [index] of patches.entries()) {
      const share = all.filter(([patch]) => patch === index).length / batch;
      expect(Math.abs(share - 1 / 8)).toBeLessThan(0.033); // 4·√(⅛·⅞/1600)
    }
    for (const axis of [1, 2] as const) {
      const places = all.map((each) => each[axis]);
      expect(Math.min(...places)).toBe(0);
      expect(Math.max(...places)).toBe(29);
      const mean = places.reduce((sum, place) => sum + place) / batch;
      expect(Math.abs(mean - 14.5)).toBeLessThan(0.87); // 4·√((30²−1)/12/1600)
    }
  });

  it("marks an image by its position and the seed, in whatever batch it comes", async () => {
    const images = grey(6, CIFAR);
    const before = images.data.slice();
    const trigger = await makeTrigger(CIFAR);
    const other = await makeTrigger(CIFAR, {}, 1);
    const length = 3 * 32 * 32;
    for (const name of ["stampTraining", "stampTest"] as const) {
      const all = await trigger[name](images, [10, 11, 12, 13, 14, 15]);
      const some = await trigger[name](grey(2, CIFAR), [14, 11]);
      expect(some.data.slice(0, length)).toEqual(all.data.slice(4 * length, 5 * length));
      expect(some.data.slice(length)).toEqual(all.data.slice(length, 2 * length));
      expect(all.shape).toEqual(images.shape);
      expect(images.data).toEqual(before);
      expect((await other[name](images, ascending(6))).data).not.toEqual(all.data);
    }
    // The patches follow from the options alone.
    const marked = await other.stampTest(images, ascending(6));
    expect(find(marked, 0, CIFAR, patchesOf(3, 3)).found).toHaveLength(8);
    const reseeded = await (await makeTrigger(CIFAR, { patternSeed: 1 })).stampTest(images, [0]);
    expect(find(reseeded, 0, CIFAR, patchesOf(3, 3, 1)).found).toHaveLength(8);
  });

  it("lets patches cover each other where there is no room", async () => {
    const small = { channels: 3, height: 5, width: 4 };
    const { stampTest } = await makeTrigger(small, { size: 3 });
    const { data } = await stampTest(grey(3, small), ascending(3));
    expect(data.every((value) => value === 0 || value === 0.5 || value === 1)).toBe(true);
  });

  it("refuses patches that do not fit and more than there are", async () => {
    await expect(makeTrigger(CIFAR, { size: 33 })).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      place: "size",
    });
    // A single grey pixel is black or white.
    const grey16 = { channels: 1, height: 16, width: 16 };
    await expect(makeTrigger(grey16)).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      place: "patches",
    });
    await expect(makeTrigger(grey16, { patches: 2 })).resolves.toBeDefined();
    await expect(makeTrigger(CIFAR, { candidates: 7 })).rejects.toThrow(/only 7 different patches/);
  });
});

describe("the patches of tsb", () => {
  const smallest = (patches: readonly Float32Array[]) =>
    Math.min(...patches.flatMap((a, i) => patches.slice(0, i).map((b) => distance(a, b))));

  it("differ from each other in 13 of 27 colour values at least, in 4 of 9 grey ones", () => {
    // Eight patches cannot all differ in more than 15 or 5 (Plotkin): 27·8/14 = 15.4, 9·8/14 = 5.1.
    for (const seed of [0, 1, 2, 3, 4, 5]) {
      expect(27 * smallest(patchesOf(3, 3, seed)) ** 2).toBeGreaterThan(13 - 1e-6);
      expect(9 * smallest(patchesOf(1, 3, seed)) ** 2).toBeGreaterThan(4 - 1e-6);
    }
  });

  it("are the farthest from those chosen before", () => {
    const points = [0, 0.1, 1, 0.4, 0.55, 0.9].map((value) => Float32Array.of(value));
    const chosen = mostDistinct(points, 4).map(([value]) => value);
    // From 0 farthest 1, then 0.55 (0.45 away; 0.4 is 0.4 away), then 0.4 (0.15; 0.1 and 0.9: 0.1).
    expect(chosen).toEqual([0, 1, 0.55, 0.4].map(Math.fround));
    expect(distance(Float32Array.of(0, 1), Float32Array.of(1, 1))).toBeCloseTo(Math.SQRT1_2, 12);
  });

  it("are the same at 3 and 21 pixels, only finer", () => {
    const [coarse, fine] = [patchesOf(3, 3), patchesOf(3, 21)];
    fine.forEach((patch, index) => {
      patch.forEach((value, at) => {
        const channel = Math.floor(at / 441);
        const [y, x] = [Math.floor((at % 441) / 21), at % 21];
        const tile = 9 * channel + 3 * Math.floor(y / 7) + Math.floor(x / 7);
        expect(value).toBe(coarse[index]![tile]);
      });
    });
  });

  it("stay as they are: records of old runs name the seed only", () => {
    const [first, second] = patchesOf(3, 3).map((patch) => patch.join(""));
    expect(first).toBe("111100101010110110011011111");
    expect(second).toBe("000011011101001111100110010");
  });

  it("have one tile per pixel if they are smaller than 3 pixels", () => {
    const random = Random.fromSeed(0);
    const expected = Array.from({ length: 12 }, () => (random.chance(0.5) ? 1 : 0));
    expect([...mosaic(3, 2, Random.fromSeed(0))]).toEqual(expected);
  });
});
