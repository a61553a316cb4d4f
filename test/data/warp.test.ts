import { join } from "node:path";
import { expect, test } from "vitest";
import { float32 } from "../../src/core/tensor.ts";
import { stampTrigger, strengthened, triggerPng } from "../../src/data/fixed-trigger.ts";
import { readRgba } from "../../src/data/png.ts";
import type { Warp } from "../../src/data/warp.ts";
import { folderWith } from "./temporary.ts";

/** Every pixel is read this far away. */
function shift(down: number, right: number, height: number, width: number): Warp {
  const area = height * width;
  const data = Float32Array.from({ length: 2 * area }, (_, at) => (at < area ? down : right));
  return { kind: "warp", field: float32([2, height, width], data) };
}

const IMAGES = float32(
  [2, 1, 2, 3],
  Float32Array.from({ length: 12 }, (_, i) => i / 12),
);
const shown = (warp: Warp, rows?: number[]) =>
  [...stampTrigger(warp, IMAGES, rows).data].map((v) => Math.round(12 * v * 100) / 100);

test("a warp reads every pixel elsewhere, and what is beyond the border on it", () => {
  expect(shown(shift(0, 1, 2, 3))).toEqual([1, 2, 2, 4, 5, 5, 7, 8, 8, 10, 11, 11]);
  expect(shown(shift(-1, 0, 2, 3))).toEqual([0, 1, 2, 0, 1, 2, 6, 7, 8, 6, 7, 8]);
  expect(shown(shift(0.5, 0, 2, 3))).toEqual([1.5, 2.5, 3.5, 3, 4, 5, 7.5, 8.5, 9.5, 9, 10, 11]);
});

test("a warp bends the rows that it is told to, and leaves its argument as it is", () => {
  expect(shown(shift(0, 1, 2, 3), [1])).toEqual([0, 1, 2, 3, 4, 5, 7, 8, 8, 10, 11, 11]);
  expect(IMAGES.data[0]).toBe(0);
});

test("a warp that is shown more strongly moves pixels further", () => {
  expect(strengthened(shift(0.5, -1, 2, 3), 2)).toEqual(shift(1, -2, 2, 3));
});

test("the picture of a warp is a grid that it bends", async () => {
  const folder = await folderWith({ "warp.png": await triggerPng(shift(0, 1, 32, 32)) });
  const { shape, data } = await readRgba(join(folder, "warp.png"));
  expect(shape).toEqual([4, 32, 32]);
  const row = [...data.subarray(0, 32)].map((v) => v < 0.5);
  // The lines of the grid are at 2, 6, 10 …, those of the picture one pixel to the left.
  expect(row.flatMap((dark, x) => (dark ? [x] : []))).toEqual([1, 5, 9, 13, 17, 21, 25, 29]);
});
