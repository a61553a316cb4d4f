import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { Random } from "../../src/core/random.ts";
import { float32 } from "../../src/core/tensor.ts";
import { augment, mixPairs } from "../../src/data/augment.ts";

const SMALL = { channels: 2, height: 3, width: 4 };
const SMALL_LENGTH = 24;

/** What the docstring says, pixel by pixel, from the same draws. */
function slowly(images: Uint8Array, padding: number, flip: boolean, random: Random): number[] {
  const result: number[] = [];
  const { channels, height, width } = SMALL;
  for (let at = 0; at < images.length; at += SMALL_LENGTH) {
    const down = random.integer(-padding, padding + 1);
    const right = random.integer(-padding, padding + 1);
    const mirrored = random.chance(0.5) && flip;
    for (let c = 0; c < channels; c++) {
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const column = (mirrored ? width - 1 - x : x) + right;
          const inside = y + down >= 0 && y + down < height && column >= 0 && column < width;
          result.push(inside ? images[at + (c * height + y + down) * width + column]! : 0);
        }
      }
    }
  }
  return result;
}

test("crops and flips as a pixel-by-pixel loop does, in bytes and in floats", () => {
  const images = Uint8Array.from({ length: 40 * SMALL_LENGTH }, (_, i) => 1 + ((i * 31) % 255));
  const before = images.slice();
  for (const padding of [0, 1, 2, 6]) {
    for (const flip of [true, false]) {
      const random = () => Random.fromSeed(5).fork("augment");
      const wanted = slowly(images, padding, flip, random());
      const options = { padding, flip };
      expect([...augment(images, SMALL, random(), options)]).toEqual(wanted);
      const floats = Float32Array.from(images);
      expect([...augment(floats, SMALL, random(), options)]).toEqual(wanted);
    }
  }
  expect(images).toEqual(before);
});

test("every shift and both directions occur, the default padding grows with the image", () => {
  const size = { channels: 1, height: 1, width: 224 };
  const images = new Float32Array(4000 * 224);
  for (let row = 0; row < 4000; row++) images[row * 224 + 112] = 1;
  const seen = new Set<number>();
  const shifted = augment(images, size, Random.fromSeed(2));
  shifted.forEach((value, i) => {
    if (value === 1) seen.add((i % 224) - 112);
  });
  // Rows move as well: an image one pixel high mostly moves out of sight.
  expect(Math.min(...seen)).toBeGreaterThanOrEqual(-29);
  expect(Math.max(...seen)).toBeLessThanOrEqual(28);
  expect(seen.size).toBeGreaterThan(35);
});

test("the same stream gives the same images on every machine", () => {
  const size = { channels: 3, height: 32, width: 32 };
  const images = Uint8Array.from({ length: 8 * 3072 }, (_, i) => (i * 7) % 251);
  const hash = (seed: number) =>
    createHash("sha256")
      .update(augment(images, size, Random.fromSeed(seed)))
      .digest("hex")
      .slice(0, 12);
  expect(hash(1)).toBe("09ea534a4d4d");
  expect(hash(2)).not.toBe(hash(1));
});

test("mixed images are mostly themselves, and as many as wanted are mixed", () => {
  // Every image has one pixel of its own, so what is left of it and what came from others can be read off.
  const rows = 400;
  const identity = new Float32Array(rows * rows);
  for (let row = 0; row < rows; row++) identity[row * rows + row] = 1;
  const images = float32([rows, 1, 1, rows], identity);
  const { data } = mixPairs(images, 0.25, Random.fromSeed(4));
  let mixed = 0;
  for (let row = 0; row < rows; row++) {
    const pixels = data.subarray(row * rows, (row + 1) * rows);
    expect(pixels[row]).toBeGreaterThanOrEqual(0.5);
    expect(pixels.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    if (pixels[row]! < 1) mixed++;
  }
  expect(mixed / rows).toBeGreaterThan(0.18);
  expect(mixed / rows).toBeLessThan(0.32);
  expect(identity[rows + 1]).toBe(1); // the argument stays as it is
});
