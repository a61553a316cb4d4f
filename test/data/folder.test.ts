import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import type { Progress } from "../../src/core/progress.ts";
import { digestOf } from "../../src/data/digest.ts";
import { imageFolder } from "../../src/data/folder.ts";
import { batchTensors, count, imageAt, subset } from "../../src/data/images.ts";
import { bytesOf } from "../support/pixels.ts";
import { folderWith } from "./temporary.ts";

const SIZE = { channels: 3, height: 2, width: 2 };

/** A picture of one colour. */
function plain(width: number, height: number, background: string) {
  return sharp({ create: { width, height, channels: 3, background } });
}

/** Four different RGB pixels, [2,2,3]. */
const PIXELS = Buffer.from([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 8, 7]);
const four = () => sharp(PIXELS, { raw: { width: 2, height: 2, channels: 3 } });
/** The same, [3,2,2]. */
const PLANES = [255, 0, 0, 9, 0, 255, 0, 8, 0, 0, 255, 7];

async function only(file: string, content: Buffer, size = SIZE): Promise<number[]> {
  const folder = await folderWith({ [`0/${file}`]: content });
  return [...bytesOf(await imageFolder(folder, size))];
}

test("a picture of the right size keeps its pixels", async () => {
  expect(await only("a.png", await four().png().toBuffer())).toEqual(PLANES);
  expect(await only("a.webp", await four().webp({ lossless: true }).toBuffer())).toEqual(PLANES);
  expect(await only("a.tiff", await four().tiff({ compression: "lzw" }).toBuffer())).toEqual(
    PLANES,
  );
  // Not even a colour profile changes them.
  const p3 = await four().withIccProfile("p3", { attach: true }).png().toBuffer();
  const raw = await sharp(p3, { ignoreIcc: true }).raw().toBuffer();
  expect(await only("a.png", p3)).toEqual(
    [0, 1, 2].flatMap((c) => [0, 1, 2, 3].map((p) => raw[3 * p + c])),
  );
});

test("EXIF orientation turns the picture upright", async () => {
  // Orientation 3: upside down, so the pixels come in reverse order.
  const turned = await four().withMetadata({ orientation: 3 }).png().toBuffer();
  expect(await only("a.png", turned)).toEqual([9, 0, 0, 255, 8, 0, 255, 0, 7, 255, 0, 0]);
  // Orientation 6 swaps the sides: red above blue becomes blue left of red.
  const sides = await plain(8, 4, "#0000ff")
    .composite([{ input: await plain(8, 2, "#ff0000").png().toBuffer(), top: 0, left: 0 }])
    .withMetadata({ orientation: 6 })
    .png()
    .toBuffer();
  const upright = await only("a.png", sides, { channels: 3, height: 8, width: 4 });
  expect(upright.slice(0, 4)).toEqual([0, 0, 255, 255]); // the red plane's first row
});

test("grey, transparent, CMYK and 16-bit pictures become 8-bit RGB", async () => {
  const grey = sharp(Buffer.from([0, 1, 100, 255]), { raw: { width: 2, height: 2, channels: 1 } });
  const greyPng = await grey.toColourspace("b-w").png().toBuffer();
  expect(await only("a.png", greyPng)).toEqual([0, 1, 2].flatMap(() => [0, 1, 100, 255]));
  expect(await only("a.png", greyPng, { ...SIZE, channels: 1 })).toEqual([0, 1, 100, 255]);

  const rgba = Buffer.from([255, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0, 0]);
  const alpha = await sharp(rgba, { raw: { width: 2, height: 2, channels: 4 } })
    .png()
    .toBuffer();
  expect(await only("a.png", alpha)).toEqual([
    255, 255, 127, 255, 0, 255, 127, 255, 0, 255, 127, 255,
  ]);

  const cmyk = await plain(2, 2, "#ff0000").toColourspace("cmyk").jpeg({ quality: 100 }).toBuffer();
  expect((await sharp(cmyk).metadata()).space).toBe("cmyk");
  const [red, , , , green, , , , blue] = await only("a.jpg", cmyk);
  expect(red).toBeGreaterThan(180);
  expect(green).toBeLessThan(70);
  expect(blue).toBeLessThan(70);

  const deep = Uint16Array.from([...PIXELS], (value) => value * 257);
  const raw = { width: 2, height: 2, channels: 3 } as const;
  const png16 = await sharp(deep, { raw }).toColourspace("rgb16").png().toBuffer();
  expect((await sharp(png16).metadata()).depth).toBe("ushort");
  expect(await only("a.png", png16)).toEqual(PLANES);
});

test("colour becomes grey as Pillow does it", async () => {
  // Image.new("RGB", …).convert("L") of these four pixels.
  const png = await four().png().toBuffer();
  expect(await only("a.png", png, { ...SIZE, channels: 1 })).toEqual([76, 150, 29, 8]);
});

test("the shorter side is fitted and the centre kept", async () => {
  const stripes = await plain(60, 20, "#000000")
    .composite([{ input: await plain(20, 20, "#ffffff").png().toBuffer(), top: 0, left: 20 }])
    .png()
    .toBuffer();
  const pixels = await only("a.png", stripes, { channels: 3, height: 10, width: 10 });
  expect(Math.min(...pixels.filter((_, i) => i % 10 > 0 && i % 10 < 9))).toBeGreaterThan(240);
  expect(await only("a.png", await plain(1, 1, "#102030").png().toBuffer())).toEqual(
    [16, 32, 48].flatMap((value) => [value, value, value, value]),
  );
});

test("links, nested folders, hidden and other files", async () => {
  const white = await plain(2, 2, "#ffffff").png().toBuffer();
  const black = await plain(2, 2, "#000000").png().toBuffer();
  const folder = await folderWith({
    "cat/b.PNG": white,
    "cat/deep/a.png": black,
    "cat/.hidden.png": "x",
    "cat/.thumbnails/c.png": "x",
    "cat/notes.txt": "x",
    ".git/x.png": "x",
    "README.md": "x",
  });
  const elsewhere = await folderWith({ "one.png": black });
  await symlink(elsewhere, join(folder, "ant"));
  await symlink(join(elsewhere, "one.png"), join(folder, "cat", "link.png"));
  const events: Progress[] = [];
  const set = await imageFolder(folder, { ...SIZE, emit: (event) => events.push(event) });
  expect(set.classNames).toEqual(["ant", "cat"]);
  expect(set.names).toEqual(["ant/one.png", "cat/b.PNG", "cat/deep/a.png", "cat/link.png"]);
  expect([...set.labels]).toEqual([0, 1, 1, 1]);
  expect([1, 2].map((row) => imageAt(set, row)[0])).toEqual([255, 0]);
  expect(events).toContainEqual(
    expect.objectContaining({ kind: "note", message: expect.stringContaining("alphabetical") }),
  );
  expect(events).toContainEqual(
    expect.objectContaining({ kind: "warning", message: expect.stringContaining("1 file") }),
  );
  expect(events.at(-1)).toMatchObject({ kind: "step", done: 4, total: 4 });
});

test("unreadable images are named, or left out on request", async () => {
  const noise = Buffer.from(Uint8Array.from({ length: 3 * 64 * 64 }, (_, i) => (i * 7919) >> 3));
  const picture = sharp(noise, { raw: { width: 64, height: 64, channels: 3 } });
  const png = await picture.png().toBuffer();
  const jpeg = await picture.jpeg().toBuffer();
  // A header that announces 2^31−1 pixels on each side.
  const huge = Buffer.from(png);
  huge.writeUInt32BE(2 ** 31 - 1, 16);
  huge.writeUInt32BE(2 ** 31 - 1, 20);
  const folder = await folderWith({
    "0/bomb.png": huge,
    "0/cut.jpg": jpeg.subarray(0, jpeg.length / 2),
    "0/cut.png": png.subarray(0, png.length / 2),
    "0/empty.png": "",
    "0/text.jpg": "no image",
    "1/good.png": png,
  });
  await expect(imageFolder(folder, SIZE)).rejects.toMatchObject({
    code: "IMAGE_UNREADABLE",
    message: expect.stringMatching(/^5 images .*bomb\.png.*cut\.jpg.*cut\.png.*…$/),
  });
  const events: Progress[] = [];
  const emit = (event: Progress) => events.push(event);
  const set = await imageFolder(folder, { ...SIZE, onUnreadable: "skip", emit });
  expect(set.names).toEqual(["1/good.png"]);
  expect([...set.labels]).toEqual([1]);
  expect(count(set)).toBe(1);
  expect(events).toContainEqual(
    expect.objectContaining({ kind: "warning", message: expect.stringContaining("5 images") }),
  );
});

test("when all images are to be left out, it is an error after all", async () => {
  const folder = await folderWith({ "0/empty.png": "" });
  await expect(imageFolder(folder, { ...SIZE, onUnreadable: "skip" })).rejects.toMatchObject({
    code: "IMAGE_UNREADABLE",
    message: expect.stringMatching(/^1 image cannot/),
  });
});

test("folders of another form are refused with what to do", async () => {
  const png = await plain(2, 2, "#ffffff").png().toBuffer();
  const refused = async (files: Record<string, Buffer | string>) =>
    expect(imageFolder(await folderWith(files), SIZE)).rejects;
  await (await refused({ "a.png": png })).toThrow("the file names do not tell");
  await (await refused({ "a/b.txt": "x" })).toThrow("no images");
  await (await refused({ "train/cat/a.png": png, "val/cat/a.png": png })).toMatchObject({
    code: "DATA_INVALID",
    next: expect.stringContaining("/train"),
  });
  const empty = await folderWith({});
  await mkdir(join(empty, ".only-hidden"));
  await expect(imageFolder(empty, SIZE)).rejects.toMatchObject({ code: "DATA_INVALID" });
  await expect(imageFolder(join(empty, "x"), SIZE)).rejects.toMatchObject({
    code: "DATA_NOT_FOUND",
  });
  const folder = await folderWith({ "0/a.png": png });
  const signal = AbortSignal.abort();
  await expect(imageFolder(folder, { ...SIZE, signal })).rejects.toMatchObject({
    code: "CANCELLED",
  });
});

test("classes without images are allowed where folders bear an index, with a warning", async () => {
  const png = await plain(2, 2, "#ffffff").png().toBuffer();
  const folder = await folderWith({ "2_c/a.png": png });
  const events: Progress[] = [];
  const emit = (event: Progress) => events.push(event);
  const set = await imageFolder(folder, { ...SIZE, classCount: 4, emit });
  expect(set.classNames).toEqual(["class 0", "class 1", "c", "class 3"]);
  expect(events).toContainEqual({
    kind: "warning",
    stage: "images",
    message: "No images of 3 of 4 classes (class 0, class 1, class 3).",
  });
});

test("a folder with more pixels than memory is to hold gives the same set", async () => {
  const png = (value: number) =>
    sharp(Buffer.alloc(12, value), { raw: { width: 2, height: 2, channels: 3 } })
      .png()
      .toBuffer();
  const folder = await folderWith({
    "a/1.png": await png(1),
    "a/2.png": await png(2),
    "b/3.png": await png(3),
  });
  const [held, stored] = [
    await imageFolder(folder, SIZE),
    await imageFolder(folder, { ...SIZE, inMemory: 20 }),
  ];
  expect(stored.images).not.toBeInstanceOf(Uint8Array);
  expect(bytesOf(stored)).toEqual(bytesOf(held));
  expect(digestOf(stored)).toBe(digestOf(held));
  expect(batchTensors(stored, [2, 0])).toEqual(batchTensors(held, [2, 0]));
  expect(subset(stored, [1])).toEqual(subset(held, [1]));
});

test("class folders that are links hold the images of a table as well", async () => {
  const png = await plain(2, 2, "#ffffff").png().toBuffer();
  const real = await folderWith({ "a/1.png": png, "b/2.png": png });
  const folder = await folderWith({ "labels.csv": "file,label\na/1.png,0\nb/2.png,1\n" });
  for (const name of ["a", "b"]) await symlink(join(real, name), join(folder, name));
  expect([...(await imageFolder(folder, SIZE)).labels]).toEqual([0, 1]);
});
