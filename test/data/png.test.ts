import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { float32 } from "../../src/core/tensor.ts";
import { encodePng, readRgba, tensorToPng } from "../../src/data/png.ts";
import { folderWith } from "./temporary.ts";

test("a tensor becomes a PNG, clamped and rounded", async () => {
  const image = float32([3, 1, 2], [0, 1, 0.5, -3, Number.NaN, 7]);
  const { data, info } = await sharp(await tensorToPng(image))
    .raw()
    .toBuffer({ resolveWithObject: true });
  expect(info).toMatchObject({ width: 2, height: 1, channels: 3 });
  expect([...data]).toEqual([0, 128, 0, 255, 0, 255]);
});

test("grey stays one channel", async () => {
  const png = await encodePng(Uint8Array.of(0, 7, 255), { channels: 1, height: 3, width: 1 });
  expect(await sharp(png).metadata()).toMatchObject({ channels: 1, space: "b-w", height: 3 });
});

test("a trigger's colours and alpha come back exactly", async () => {
  const planes = Uint8Array.of(255, 10, 3, 0, 20, 2, 9, 30, 1, 255, 128, 0); // [4,1,3]
  const folder = await folderWith({
    "rgba.png": await encodePng(planes, { channels: 4, height: 1, width: 3 }),
    "rgb.png": await encodePng(planes.subarray(0, 9), { channels: 3, height: 1, width: 3 }),
    "bad.png": "x",
  });
  const rgba = await readRgba(join(folder, "rgba.png"));
  expect(rgba.shape).toEqual([4, 1, 3]);
  expect(Array.from(rgba.data, (value) => Math.round(255 * value))).toEqual([...planes]);
  const rgb = await readRgba(join(folder, "rgb.png"));
  expect([...rgb.data.subarray(9)]).toEqual([1, 1, 1]);
  await expect(readRgba(join(folder, "bad.png"))).rejects.toMatchObject({
    code: "IMAGE_UNREADABLE",
  });
  await expect(readRgba(join(folder, "none.png"))).rejects.toMatchObject({
    code: "DATA_NOT_FOUND",
  });
});

const { ANTIDOTE_DATA: data } = process.env;

test.skipIf(data === undefined)("a real trigger (set ANTIDOTE_DATA)", async () => {
  const trigger = await readRgba(join(data!, "triggers", "pt_badnets_m250_t3.png"));
  expect(trigger.shape).toEqual([4, 32, 32]);
  const alpha = trigger.data.subarray(3 * 1024);
  expect(alpha.reduce((sum, value) => sum + value, 0)).toBe(9);
  expect(alpha[28 * 32 + 28]).toBe(1);
});
