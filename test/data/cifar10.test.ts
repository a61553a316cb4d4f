import { createHash } from "node:crypto";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CIFAR10_CLASSES, parseCifar10, readCifar10 } from "../../src/data/cifar10.ts";
import { count, imageAt } from "../../src/data/images.ts";
import { folderWith } from "./temporary.ts";

/** `labels.length` records whose image bytes are all 10·label. */
function records(...labels: number[]): Uint8Array {
  const bytes = new Uint8Array(labels.length * 3073);
  labels.forEach((label, row) => {
    bytes.fill(10 * label, row * 3073, (row + 1) * 3073);
    bytes[row * 3073] = label;
  });
  return bytes;
}

test("a file, several files and a folder are read in order", async () => {
  const folder = await folderWith({
    "data_batch_1.bin": records(1, 2),
    "data_batch_2.bin": records(3),
    "data_batch_3.bin": records(4),
    "data_batch_4.bin": records(5),
    "data_batch_5.bin": records(6),
    "test_batch.bin": records(9, 0),
    "batches.meta.txt": "A\nB\nC\nD\nE\nF\nG\nH\nI\nJ\n\n",
  });
  const train = await readCifar10(folder);
  expect([...train.labels]).toEqual([1, 2, 3, 4, 5, 6]);
  expect(imageAt(train, 3).every((value) => value === 40)).toBe(true);
  expect(train.classNames[9]).toBe("J");
  expect([...(await readCifar10(folder, { split: "test" })).labels]).toEqual([9, 0]);
  const one = await readCifar10(join(folder, "data_batch_2.bin"));
  expect([...one.labels]).toEqual([3]);
  const two = ["data_batch_2.bin", "data_batch_5.bin"].map((name) => join(folder, name));
  expect([...(await readCifar10(two)).labels]).toEqual([3, 6]);
});

test("damaged files are refused, with what is wrong", async () => {
  expect(() => parseCifar10(records(1).subarray(1), "x.bin")).toThrow("3072 bytes");
  expect(() => parseCifar10(new Uint8Array(0), "x.bin")).toThrow("0 bytes");
  expect(() => parseCifar10(new Uint8Array(2 * 3074), "x.bin")).toThrow("CIFAR-100");
  expect(() => parseCifar10(records(1, 10), "x.bin")).toThrow("Record 1");
  const folder = await folderWith({
    "data_batch_1.bin": records(1),
    "batches.meta.txt": "cat\ndog\n",
  });
  await expect(readCifar10(folder)).rejects.toMatchObject({
    code: "DATA_NOT_FOUND",
    message: expect.stringContaining("data_batch_2.bin"),
  });
  await expect(readCifar10(join(folder, "data_batch_1.bin"))).rejects.toMatchObject({
    code: "DATA_INVALID",
    message: expect.stringContaining("2 classes"),
  });
  await expect(readCifar10(join(folder, "nowhere"))).rejects.toMatchObject({
    code: "DATA_NOT_FOUND",
  });
});

const { ANTIDOTE_DATA: data } = process.env;

test.skipIf(data === undefined)("the real CIFAR-10 (set ANTIDOTE_DATA)", async () => {
  const set = await readCifar10(join(data!, "cifar10"), { split: "test" });
  expect(count(set)).toBe(10_000);
  expect(set.classNames).toEqual(CIFAR10_CLASSES);
  // The first test images are known: a cat, then two ships and an airplane.
  expect([...set.labels.subarray(0, 4)]).toEqual([3, 8, 8, 0]);
  const perClass = new Array<number>(10).fill(0);
  for (const label of set.labels) perClass[label]!++;
  expect(perClass).toEqual(new Array(10).fill(1000));
  // Mean of the red channel over the test set, as numpy computes it.
  let sum = 0;
  for (let n = 0; n < 10_000; n++) {
    for (const value of imageAt(set, n).subarray(0, 1024)) sum += value;
  }
  expect(sum / (10_000 * 1024 * 255)).toBeCloseTo(0.494215, 5);
  expect(createHash("sha256").update(imageAt(set, 0)).digest("hex").slice(0, 8)).toBe("73eefb01");
});
