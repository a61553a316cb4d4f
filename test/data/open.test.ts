import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import type { Progress } from "../../src/core/progress.ts";
import { count } from "../../src/data/images.ts";
import { openImages } from "../../src/data/open.ts";
import { writeClassFolders } from "../../src/data/write.ts";
import { folderWith } from "./temporary.ts";

const CIFAR = { channels: 3, height: 32, width: 32 };
const TINY = { channels: 1, height: 1, width: 2 };

const record = new Uint8Array(3073).fill(4);
const idxImages = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 10, 20, 30, 40);
const idxLabels = Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 1, 0);

test("recognises CIFAR-10 by folder, by name and by ending", async () => {
  const folder = await folderWith({
    "test_batch.bin": record,
    "trusted.bin": record,
    "labels.txt": "p\nq\nr\ns\nt\nu\nv\nw\nx\ny\n",
    "three.txt": "a\nb\nc\n",
  });
  const named = await openImages(folder, { ...CIFAR, split: "test", classCount: 10 });
  expect(named.classNames[4]).toBe("deer");
  expect([...named.labels]).toEqual([4]);
  const classes = join(folder, "labels.txt");
  const own = await openImages(join(folder, "trusted.bin"), { ...CIFAR, classes });
  expect(own.classNames[4]).toBe("t");
  const refused = (options: object) =>
    expect(openImages(join(folder, "trusted.bin"), { ...CIFAR, ...options })).rejects;
  await refused({ classCount: 1000 }).toMatchObject({ code: "CLASSES_MISMATCH" });
  await refused({ classes: join(folder, "three.txt") }).toMatchObject({ code: "CLASSES_MISMATCH" });
  await refused({ channels: 1 }).toThrow("3×32×32");
  await refused({ labels: "any.csv" }).toMatchObject({ code: "USAGE", place: "any.csv" });
});

test("a list with names that several classes bear is taken, with a warning", async () => {
  const folder = await folderWith({
    "trusted.bin": record,
    "labels.txt": "p\nq\nr\ns\nt\nu\nq\nw\nx\ny\n",
  });
  const events: Progress[] = [];
  const set = await openImages(join(folder, "trusted.bin"), {
    ...CIFAR,
    classes: join(folder, "labels.txt"),
    emit: (event) => events.push(event),
  });
  expect(set.classNames[6]).toBe("q");
  expect(events).toContainEqual(
    expect.objectContaining({ kind: "warning", message: expect.stringContaining("(q: 1 and 6)") }),
  );
});

test("recognises idx by folder and file, with the model's number of classes", async () => {
  const folder = await folderWith({
    "t10k-images-idx3-ubyte": idxImages,
    "t10k-labels-idx1-ubyte": idxLabels,
  });
  const set = await openImages(folder, { ...TINY, classCount: 10 });
  expect(set.classNames).toHaveLength(10);
  const file = join(folder, "t10k-images-idx3-ubyte");
  expect(count(await openImages(file, { ...TINY, classNames: ["a", "b"] }))).toBe(2);
  await expect(openImages(file, { ...TINY, classCount: 1 })).rejects.toThrow("label 1");
  await expect(openImages(file, CIFAR)).rejects.toMatchObject({ code: "DATA_INVALID" });
});

test("class folders written from a set read back the same", async () => {
  const folder = await folderWith({});
  for (const channels of [1, 3]) {
    const set = {
      images: Uint8Array.from({ length: 4 * channels * 30 }, (_, i) => (i * 37) % 256),
      labels: Int32Array.of(0, 1, 1, 10),
      channels,
      height: 5,
      width: 6,
      classNames: ["a/b", "été", ...Array.from({ length: 9 }, (_, i) => `c${i}`)],
    };
    const before = set.images.slice();
    const target = join(folder, String(channels));
    await writeClassFolders(set, target);
    expect(set.images).toEqual(before);
    const read = await openImages(target, { channels, height: 5, width: 6, classCount: 11 });
    expect(read.images).toEqual(set.images);
    expect(read.labels).toEqual(set.labels);
    expect(read.classNames[1]).toBe("été");
    expect(read.names![0]).toBe("00_a_b/000000.png");
    const { channels: stored } = await sharp(join(target, read.names![0]!)).metadata();
    expect(stored).toBe(channels);
  }
  const file = join(await folderWith({ "in-the-way": "x" }), "in-the-way");
  const one = { images: Uint8Array.of(1), labels: Int32Array.of(0), classNames: ["a"] };
  const set = { ...one, channels: 1, height: 1, width: 1 };
  await expect(writeClassFolders(set, file)).rejects.toMatchObject({ code: "OUTPUT_NOT_WRITABLE" });
});

test("anything else is refused", async () => {
  const folder = await folderWith({ "images.zip": "x", "short.bin": "x" });
  const refused = (name: string) => expect(openImages(join(folder, name), CIFAR)).rejects;
  await refused("images.zip").toMatchObject({ code: "DATA_INVALID" });
  await refused("short.bin").toThrow("1 bytes");
  await refused("missing").toMatchObject({ code: "DATA_NOT_FOUND" });
});

const { ANTIDOTE_DATA: data } = process.env;

test.skipIf(data === undefined)("the real class folders (set ANTIDOTE_DATA)", async () => {
  const imagenette = join(data!, "imagenette");
  const size = { channels: 3, height: 224, width: 224 };
  await expect(openImages(imagenette, size)).rejects.toThrow("splits");
  const set = await openImages(join(imagenette, "val"), { ...size, classCount: 10 });
  expect(count(set)).toBe(300);
  expect(set.classNames[0]).toBe("n01440764");
  expect(set.names![0]).toMatch(/^n01440764\//);
});
