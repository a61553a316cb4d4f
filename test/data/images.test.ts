import { expect, test } from "vitest";
import { Random } from "../../src/core/random.ts";
import {
  batches,
  batchTensors,
  concat,
  count,
  epochBatches,
  type ImageSet,
  imageAt,
  indicesByClass,
  subset,
  toUnitRange,
} from "../../src/data/images.ts";
import { bytesOf } from "../support/pixels.ts";

/** Five 1×2 images whose bytes are 10·row and 10·row+1. */
const five: ImageSet = {
  images: Uint8Array.from({ length: 10 }, (_, i) => 10 * (i >> 1) + (i & 1)),
  labels: Int32Array.of(0, 1, 2, 1, 0),
  channels: 1,
  height: 1,
  width: 2,
  classNames: ["a", "b", "c"],
  names: ["p", "q", "r", "s", "t"],
};

test("a subset keeps the order asked for and copies", () => {
  const part = subset(five, [3, 0, 3]);
  expect([...bytesOf(part)]).toEqual([30, 31, 0, 1, 30, 31]);
  expect([...part.labels]).toEqual([1, 0, 1]);
  expect(part.names).toEqual(["s", "p", "s"]);
  bytesOf(part).fill(9);
  expect(bytesOf(five)[0]).toBe(0);
});

test("concat undoes a split, and refuses sets that do not match", () => {
  const joined = concat(subset(five, [0, 1]), subset(five, [2, 3, 4]));
  expect(joined).toEqual(five);
  expect(() => concat(five, { ...five, height: 2, width: 1 })).toThrow("image size");
  expect(() => concat(five, { ...five, classNames: ["a", "b", "d"] })).toThrow("classes");
});

test("a batch is float32 in [0,1], filled up with zero rows", () => {
  const batch = batchTensors(five, [4, 1], 3);
  expect(batch.images.shape).toEqual([3, 1, 1, 2]);
  expect([...batch.images.data]).toEqual(
    [40, 41, 10, 11, 0, 0].map((value) => Math.fround(value / 255)),
  );
  expect([...batch.labels.data]).toEqual([0n, 1n, 0n]);
  expect(batch.valid).toBe(2);
  expect(() => batchTensors(five, [0, 1], 1)).toThrow("rows");
});

test("bytes become the float32 quotients by 255", () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  toUnitRange(all).forEach((value, i) => {
    expect(value).toBe(Math.fround(i / 255));
  });
});

test("batches visit every image once, all of one shape", () => {
  const seen = [...batches(five, 2)];
  expect(seen.map((batch) => batch.valid)).toEqual([2, 2, 1]);
  expect(seen.flatMap((batch) => Array.from(batch.indices))).toEqual([0, 1, 2, 3, 4]);
  expect(new Set(seen.map((batch) => batch.images.shape.join()))).toEqual(new Set(["2,1,1,2"]));
  expect(() => [...batches(five, 2, AbortSignal.abort())]).toThrow("Stopped");
  expect(() => [...batches(five, 0)]).toThrow("row");
});

test("epochs are permutations that depend on seed and epoch only", () => {
  const random = Random.fromSeed(7);
  const first = epochBatches(10, 4, 0, random, false);
  expect(first.map((chunk) => chunk.length)).toEqual([4, 4, 2]);
  expect(first.flat().sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  random.uniform();
  expect(epochBatches(10, 4, 0, random, false)).toEqual(first);
  expect(epochBatches(10, 4, 1, random, false)).not.toEqual(first);
  expect(epochBatches(10, 4, 0, random)).toEqual(first.slice(0, 2));
  expect(epochBatches(3, 4, 0, random)).toHaveLength(1);
});

test("images can be listed by class and looked at one by one", () => {
  expect(indicesByClass(five)).toEqual([[0, 4], [1, 3], [2]]);
  expect([...imageAt(five, 2)]).toEqual([20, 21]);
  expect(count(five)).toBe(5);
});
