import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { float32 } from "../../src/core/tensor.ts";
import {
  additive,
  blend,
  overlayPng,
  readOverlay,
  stampOverlay,
  strengthenedOverlay,
} from "../../src/data/overlay.ts";
import { encodePng } from "../../src/data/png.ts";
import { fill } from "../train/fill.ts";
import { folderWith } from "./temporary.ts";

const unit = (seed: number, shape: readonly number[]) => {
  const values = fill(seed, shape);
  return float32(
    shape,
    values.data.map((v) => (v + 1) / 2),
  );
};
async function pngFile(bytes: Uint8Array): Promise<string> {
  return join(await folderWith({ "trigger.png": bytes }), "trigger.png");
}

const SIZE = { channels: 3, height: 4, width: 5 };
const IMAGES = unit(1, [3, 3, 4, 5]); // [B,C,H,W]

describe("a blended overlay", () => {
  const pattern = unit(2, [3, 4, 5]); // [C,H,W]
  const opacity = unit(3, [4, 5]); // [H,W]

  test("mixes every pixel by its opacity, in all channels", () => {
    const stamped = stampOverlay(blend(pattern, opacity), IMAGES);
    expect(stamped.shape).toEqual(IMAGES.shape);
    stamped.data.forEach((value, at) => {
      const alpha = opacity.data[at % 20]!;
      const expected = (1 - alpha) * IMAGES.data[at]! + alpha * pattern.data[at % 60]!;
      expect(value).toBeCloseTo(expected, 6);
    });
  });

  test("survives its PNG to within a level of 255 on the image", async () => {
    const overlay = blend(pattern, opacity);
    const path = await pngFile(await overlayPng(overlay));
    const read = await readOverlay(path, "blend", SIZE);
    expect(read.kind).toBe("blend");
    const [before, after] = [overlay, read].map((it) => stampOverlay(it, IMAGES).data);
    // Rounding of the opacity and of the pattern.
    after!.forEach((value, at) => {
      expect(Math.abs(value - before![at]!)).toBeLessThan(1 / 255);
    });
  });

  test("of a grey model is drawn in grey and read back", async () => {
    const overlay = blend(unit(4, [1, 4, 5]), opacity);
    const path = await pngFile(await overlayPng(overlay));
    const read = await readOverlay(path, "blend", { ...SIZE, channels: 1 });
    expect(read.add.shape).toEqual([1, 4, 5]);
    read.add.data.forEach((value, at) => {
      expect(Math.abs(value - overlay.add.data[at]!)).toBeLessThan(1 / 255);
    });
  });
});

describe("an additive overlay", () => {
  const values = fill(5, [3, 4, 5]);

  test("is added and clamped to [0,1]", () => {
    const stamped = stampOverlay(additive(values), IMAGES).data;
    let clamped = 0;
    stamped.forEach((value, at) => {
      const sum = IMAGES.data[at]! + values.data[at % 60]!;
      if (sum < 0 || sum > 1) clamped++;
      expect(value).toBeCloseTo(Math.min(1, Math.max(0, sum)), 6);
    });
    expect(clamped).toBeGreaterThan(10);
  });

  test("is drawn on middle grey, its largest value using the whole range", async () => {
    const overlay = additive(float32([1, 1, 3], [-0.02, 0, 0.01]));
    const path = await pngFile(await overlayPng(overlay));
    const drawn = await readOverlay(path, "add", { channels: 1, height: 1, width: 3 });
    expect([...drawn.add.data].map((v) => Math.round(255 * v))).toEqual([0, 128, 191]);
  });

  test("from a picture adds its colours, whatever its alpha", async () => {
    const rgba = Uint8Array.of(255, 0, 51, 0, 102, 255, 128, 0); // [4,1,2]
    const path = await pngFile(await encodePng(rgba, { channels: 4, height: 1, width: 2 }));
    const read = await readOverlay(path, "add", { channels: 3, height: 1, width: 2 });
    expect(read.kind).toBe("add");
    expect([...read.keep.data]).toEqual([1, 1]);
    expect([...read.add.data].map((v) => Math.round(255 * v))).toEqual([255, 0, 51, 0, 102, 255]);
  });
});

describe("a strengthened overlay", () => {
  const pattern = unit(2, [3, 4, 5]); // [C,H,W]
  const opacity = unit(3, [4, 5]); // [H,W]
  const shown = (overlay: ReturnType<typeof blend>) => stampOverlay(overlay, IMAGES).data;

  test("shows the same pattern less transparently, at most fully", () => {
    const grown = float32(
      opacity.shape,
      opacity.data.map((alpha) => Math.min(1, 2.5 * alpha)),
    );
    expect(grown.data.some((alpha) => alpha === 1)).toBe(true);
    const expected = shown(blend(pattern, grown));
    shown(strengthenedOverlay(blend(pattern, opacity), 2.5)).forEach((value, at) => {
      expect(value).toBeCloseTo(expected[at]!, 5);
    });
  });

  test("leaves pixels alone that it did not cover", () => {
    const nowhere = blend(pattern, float32([4, 5], new Float32Array(20)));
    expect(shown(strengthenedOverlay(nowhere, 8))).toEqual(IMAGES.data);
  });

  test("adds more of what it adds", () => {
    const values = fill(4, [3, 4, 5]);
    const twice = additive(
      float32(
        values.shape,
        values.data.map((v) => 2 * v),
      ),
    );
    expect(shown(strengthenedOverlay(additive(values), 2))).toEqual(shown(twice));
  });
});

describe("stamping", () => {
  test("changes the wanted rows alone and never its argument", () => {
    const overlay = additive(float32([3, 4, 5], new Float32Array(60).fill(0.1)));
    const before = IMAGES.data.slice();
    const stamped = stampOverlay(overlay, IMAGES, [2, 0]).data;
    expect(IMAGES.data).toEqual(before);
    expect(stamped.subarray(60, 120)).toEqual(before.subarray(60, 120));
    for (const row of [0, 2]) {
      const [a, b] = [stamped, before].map((it) => it.subarray(60 * row, 60 * row + 60));
      expect(a!.every((v, i) => v > b![i]! || v === 1)).toBe(true);
    }
    expect(stampOverlay(overlay, IMAGES, []).data).toEqual(before);
  });

  test("refuses a trigger of another size", async () => {
    const overlay = additive(float32([3, 4, 4], new Float32Array(48)));
    expect(() => stampOverlay(overlay, IMAGES)).toThrowError(/does not fit/);
    const path = await pngFile(await overlayPng(overlay));
    await expect(readOverlay(path, "add", SIZE)).rejects.toMatchObject({
      code: "DATA_INVALID",
      message: expect.stringContaining("4×4 pixels, the model's images are 5×4"),
    });
  });
});
