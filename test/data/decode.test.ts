import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { decodeImage, type Sizing } from "../../src/data/decode.ts";

const SIZE = { channels: 1, height: 8, width: 8 };

/** A picture whose columns grow brighter from left to right, by one level each. */
async function ramp(width: number, height: number): Promise<Buffer> {
  const pixels = Buffer.from(
    Uint8Array.from({ length: 3 * width * height }, (_, i) => Math.floor(i / 3) % width),
  );
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

/** The first row of the picture as the model gets it. */
async function row(picture: Buffer, sizing?: Sizing): Promise<number[]> {
  return [...(await decodeImage(picture, SIZE, "a.png", sizing))].slice(0, 8);
}

const LINEAR = { kernel: "linear" } as const;

describe("how pictures get the model's size", () => {
  test("shorter side first, then the centre", async () => {
    // Halved, columns 2k and 2k+1 become their mean, up to rounding; of 10 columns the middle 8 are left.
    const found = await row(await ramp(20, 20), { ...LINEAR, resize: 10 });
    found.forEach((value, k) => {
      expect(Math.abs(value - (2 * (k + 1) + 0.5))).toBeLessThanOrEqual(1);
    });
    // Of a wide one, the middle of its length.
    const wide = await row(await ramp(60, 20), { ...LINEAR, resize: 10 });
    expect(Math.abs(wide[0]! - (22 + 0.5))).toBeLessThanOrEqual(1);
    expect(Math.abs(wide[7]! - (36 + 0.5))).toBeLessThanOrEqual(1);
  });

  test("stretched, whatever becomes of the proportions", async () => {
    const found = await row(await ramp(64, 8), { ...LINEAR, resize: "stretch" });
    expect(found[0]).toBeLessThan(6);
    expect(found[7]).toBeGreaterThan(57);
    const fitted = await row(await ramp(64, 8));
    expect(fitted).toEqual([28, 29, 30, 31, 32, 33, 34, 35]);
  });

  test("a picture that has it keeps its pixels", async () => {
    for (const resize of [16, "stretch"] as const) {
      expect(await row(await ramp(8, 8), { ...LINEAR, resize })).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    }
  });

  test("the centre is that of the picture turned upright", async () => {
    const turned = await sharp(await ramp(60, 20))
      .withMetadata({ orientation: 6 })
      .png()
      .toBuffer();
    const found = await decodeImage(turned, SIZE, "a.png", { ...LINEAR, resize: 10 });
    // Turned to the right: left becomes top.
    expect(found[7 * 8]! - found[0]!).toBeGreaterThan(10);
    expect(found[7]).toBe(found[0]);
  });

  test("a picture as long as can be takes no more memory than another", async () => {
    const long = await sharp({
      create: { width: 60_000, height: 1, channels: 3, background: "#808080" },
    })
      .png()
      .toBuffer();
    expect(await row(long, { ...LINEAR, resize: 16 })).toEqual(Array(8).fill(128));
  });
});
