import { describe, expect, test } from "vitest";
import { float32 } from "../../src/core/tensor.ts";
import { count, imageLength, toUnitRange } from "../../src/data/images.ts";
import { additive, blend, type Overlay, stampOverlay } from "../../src/data/overlay.ts";
import { fidelity } from "../../src/games/fidelity.ts";
import type { Stamp } from "../../src/models/predict.ts";
import { noise } from "../support/networks.ts";

// More than a batch, and not a whole number of them.
const IMAGES = noise(Array.from({ length: 130 }, (_, i) => i % 5));
const AREA = 64;

const by =
  (overlay: Overlay): Stamp =>
  (images) =>
    stampOverlay(overlay, images);

/** A square of 2 by 2 pixels of one grey at a corner. */
const square = (grey: number, place: "first" | "last") =>
  blend(
    float32([3, 8, 8], new Float32Array(3 * AREA).fill(grey)),
    float32(
      [8, 8],
      Float32Array.from({ length: AREA }, (_, at) => {
        const [x, y] = place === "first" ? [at % 8, at >> 3] : [7 - (at % 8), 7 - (at >> 3)];
        return x < 2 && y < 2 ? 1 : 0;
      }),
    ),
  );
const shade = (value: number) =>
  additive(float32([3, 8, 8], new Float32Array(3 * AREA).fill(value)));

/** The same by the formulas: cos(Δa, Δb), |A∩B|/|A∪B|, 10·log₁₀(1/MSE), averaged over images. */
function formula(found: Overlay, wanted: Overlay) {
  const sums = { cosine: 0, iou: 0, psnr: 0 };
  const length = imageLength(IMAGES);
  for (let row = 0; row < count(IMAGES); row++) {
    const image = toUnitRange(IMAGES.images.subarray(row * length, (row + 1) * length));
    const [a, b] = [found, wanted].map((overlay) =>
      Array.from(stampOverlay(overlay, float32([1, 3, 8, 8], image)).data),
    ) as [number[], number[]];
    const [da, db] = [a, b].map((marked) => marked.map((value, i) => value - image[i]!)) as [
      number[],
      number[],
    ];
    const dot = (x: number[], y: number[]) => x.reduce((sum, v, i) => sum + v * y[i]!, 0);
    sums.cosine += dot(da, db) / Math.sqrt(dot(da, da) * dot(db, db));
    const visible = (d: number[]) =>
      new Set(d.flatMap((value, i) => (Math.abs(value) > 1 / 16 ? [i % AREA] : [])));
    const [va, vb] = [visible(da), visible(db)];
    const both = [...va].filter((pixel) => vb.has(pixel)).length;
    const either = new Set([...va, ...vb]).size;
    sums.iou += either === 0 ? 1 : both / either;
    const error = a.map((value, i) => value - b[i]!);
    sums.psnr += 10 * Math.log10(length / dot(error, error));
  }
  const n = count(IMAGES);
  return { cosine: sums.cosine / n, iou: sums.iou / n, psnr: sums.psnr / n };
}

describe("the fidelity of a found trigger", () => {
  test.each([
    ["two squares that differ in grey", square(1, "first"), square(0.6, "first")],
    ["a square and a shade", square(1, "first"), shade(0.2)],
    ["two shades", shade(0.1), shade(-0.07)],
  ])("is that of the formulas for %s", async (_, found, wanted) => {
    const { cosine, iou, psnr } = await fidelity(IMAGES, by(found), by(wanted));
    const expected = formula(found, wanted);
    expect(cosine).toBeCloseTo(expected.cosine, 6);
    expect(iou).toBeCloseTo(expected.iou, 6);
    expect(psnr).toBeCloseTo(expected.psnr, 4);
  });

  test("is complete for the same trigger", async () => {
    const same = await fidelity(IMAGES, by(square(1, "first")), by(square(1, "first")));
    expect(same.cosine).toBeCloseTo(1, 6);
    expect(same.iou).toBe(1);
    // As close as bytes can tell: one step of 255.
    expect(same.psnr).toBeCloseTo(20 * Math.log10(255), 9);
  });

  test("has no pixel in common for triggers in two places", async () => {
    const apart = await fidelity(IMAGES, by(square(1, "first")), by(square(1, "last")));
    expect(apart.iou).toBe(0);
    expect(apart.cosine).toBe(0);
  });

  test("is negative for opposite changes, and symmetric", async () => {
    const [up, down] = [by(shade(0.02)), by(shade(-0.02))];
    const there = await fidelity(IMAGES, up, down);
    expect(there.cosine).toBeLessThan(-0.8);
    expect(await fidelity(IMAGES, down, up)).toEqual(there);
  });

  test("is decided for triggers that change nothing", async () => {
    const nothing = by(shade(0));
    expect(await fidelity(IMAGES, nothing, nothing)).toMatchObject({ cosine: 1, iou: 1 });
    expect(await fidelity(IMAGES, nothing, by(square(1, "first")))).toMatchObject({
      cosine: 0,
      iou: 0,
    });
  });

  test("stops on request", async () => {
    const nothing = by(shade(0));
    await expect(
      fidelity(IMAGES, nothing, nothing, { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: "CANCELLED" });
  });
});
