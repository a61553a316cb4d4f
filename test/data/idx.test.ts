import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { parseIdx, readIdx } from "../../src/data/idx.ts";
import { count, imageAt } from "../../src/data/images.ts";
import { folderWith } from "./temporary.ts";

/** An idx file of unsigned bytes 0, 1, 2, … (or `values`). */
function idx(shape: readonly number[], values?: readonly number[]): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.writeUInt32BE(0x0800 + shape.length, 0);
  shape.forEach((extent, axis) => {
    header.writeUInt32BE(extent, 4 + 4 * axis);
  });
  const size = shape.reduce((product, extent) => product * extent, 1);
  return Buffer.concat([header, Buffer.from(values ?? Array.from({ length: size }, (_, i) => i))]);
}

test("images and labels are found by file or folder, packed or not", async () => {
  const folder = await folderWith({
    "train-images-idx3-ubyte.gz": gzipSync(idx([3, 2, 4])),
    "train-labels-idx1-ubyte": idx([3], [2, 0, 1]),
    "t10k-images-idx3-ubyte": idx([1, 2, 4]),
    "t10k-labels-idx1-ubyte.gz": gzipSync(idx([1], [4])),
    "t10k-images.idx3-ubyte": idx([2, 1, 1]),
    "t10k-labels.idx1-ubyte": idx([2], [0, 0]),
  });
  const train = await readIdx(folder);
  expect(train).toMatchObject({ channels: 1, height: 2, width: 4, classNames: ["0", "1", "2"] });
  expect([...train.labels]).toEqual([2, 0, 1]);
  expect([...imageAt(train, 1)]).toEqual([8, 9, 10, 11, 12, 13, 14, 15]);
  const test = await readIdx(join(folder, "t10k-images-idx3-ubyte"));
  expect([...test.labels]).toEqual([4]);
  expect(count(await readIdx(join(folder, "t10k-images.idx3-ubyte")))).toBe(2);
  const names = ["a", "b", "c", "d", "e"];
  expect((await readIdx(folder, { split: "test", classNames: names })).classNames).toEqual(names);
});

test("a folder with one pair needs no split", async () => {
  const folder = await folderWith({
    "t10k-images-idx3-ubyte": idx([1, 2, 2]),
    "t10k-labels-idx1-ubyte": idx([1], [1]),
  });
  expect(count(await readIdx(folder))).toBe(1);
  await expect(readIdx(folder, { split: "train" })).rejects.toMatchObject({
    code: "DATA_NOT_FOUND",
  });
});

test("damaged files are refused, with what is wrong", async () => {
  expect(() => parseIdx(new Uint8Array(3), "f", 3)).toThrow("too short");
  expect(() => parseIdx(idx([4]), "f", 3)).toThrow("too short");
  expect(() => parseIdx(idx([2, 2, 2, 2]), "f", 3)).toThrow("0x804");
  expect(() => parseIdx(idx([2, 2, 2]).subarray(0, -1), "f", 3)).toThrow("announces 8 bytes");
  // A header that announces 2^96 bytes must not be believed.
  const huge = idx([1, 1, 1]);
  huge.fill(255, 4, 16);
  expect(() => parseIdx(huge, "f", 3)).toThrow("announces");
  expect(() => parseIdx(idx([0, 2, 2]), "f", 3)).toThrow("no images");

  const folder = await folderWith({
    "a-images-idx3-ubyte": idx([2, 1, 1]),
    "a-labels-idx1-ubyte": idx([3], [0, 1, 2]),
    "b-images-idx3-ubyte": idx([1, 1, 1]),
    "c-images-idx3-ubyte": idx([1, 1, 1]),
    "c-labels-idx1-ubyte": idx([1], [9]),
    "d-images-idx3-ubyte.gz": gzipSync(idx([4, 8, 8])).subarray(0, 30),
    "d-labels-idx1-ubyte": idx([1], [9]),
    "e-images": idx([1, 1, 1]),
  });
  const reading = (name: string) =>
    expect(readIdx(join(folder, name), { classNames: ["x"] })).rejects;
  await reading("a-images-idx3-ubyte").toMatchObject({ code: "DATA_INVALID" });
  await reading("b-images-idx3-ubyte").toMatchObject({ code: "DATA_NOT_FOUND" });
  await reading("c-images-idx3-ubyte").toThrow("label 9");
  await reading("d-images-idx3-ubyte.gz").toMatchObject({ code: "DATA_INVALID" });
  await reading("e-images").toMatchObject({ code: "DATA_NOT_FOUND" });
});

const { ANTIDOTE_DATA: data } = process.env;

test.skipIf(data === undefined)("the real MNIST test images (set ANTIDOTE_DATA)", async () => {
  const set = await readIdx(join(data!, "mnist"));
  expect(set).toMatchObject({ channels: 1, height: 28, width: 28 });
  expect(count(set)).toBe(10_000);
  // The first test digits are known.
  expect([...set.labels.subarray(0, 8)]).toEqual([7, 2, 1, 0, 4, 1, 4, 9]);
  expect(set.classNames).toHaveLength(10);
});
