import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { refool } from "../../src/attacks/refool.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { float32 } from "../../src/core/tensor.ts";
import { type Geometry, type ImageSet, subset } from "../../src/data/images.ts";
import { bytesOf } from "../support/pixels.ts";
import { byteImages, bytes, same } from "./byte-images.ts";
import { noDevice } from "./no-device.ts";

interface Case {
  /** [1,C,H,W] */
  readonly shape: readonly [number, number, number, number];
  readonly seed: number;
  readonly options: { readonly mode: "ghost" | "photograph" };
  readonly stamped: readonly number[];
}
const { cases } = JSON.parse(
  readFileSync(new URL("goldens/refool.json", import.meta.url), "utf8"),
) as { readonly cases: readonly Case[] };

const SQUARE = { channels: 3, height: 32, width: 32 };

/** `n` photographs. */
function pictures(n: number, seed: number, geometry: Geometry): ImageSet {
  const { channels, height, width } = geometry;
  return {
    ...{ channels, height, width },
    images: bytes(seed, [n, channels, height, width]),
    labels: new Int32Array(n),
    classNames: ["photograph"],
  };
}

function run(options: object, geometry: Geometry, photographs?: ImageSet, seed = 0) {
  const context = { device: noDevice, random: Random.fromSeed(seed), emit: silent };
  const input = { geometry, classes: 2, target: 0, photographs };
  return refool.run(context, input, refool.config.parse(options));
}

describe("refool agrees with PyTorch", () => {
  it.each(cases.map((it) => [it.options.mode, it.shape.join("×"), it] as const))(
    "%s, %s",
    async (_, __, { shape, seed, options, stamped }) => {
      const [, channels, height, width] = shape;
      const geometry = { channels, height, width };
      const { stampTest } = await run(options, geometry, pictures(1, seed + 1, geometry));
      const { data } = await stampTest(byteImages(seed, shape), [0]);
      const apart = Array.from(data, (value, i) => Math.abs(value - stamped[i]!));
      expect(Math.max(...apart)).toBeLessThan(1e-6); // float32 against float64
    },
  );
});

describe("refool", () => {
  it.each([
    ["ghost", 1, 32, 32],
    ["ghost", 3, 224, 224],
    ["ghost", 4, 9, 20],
    ["photograph", 3, 32, 32],
    ["photograph", 1, 9, 20],
  ])("%s keeps shape, range and argument of images of %i×%i×%i", async (mode, ...size) => {
    const [channels, height, width] = size;
    const geometry = { channels, height, width };
    const images = byteImages(2, [2, channels, height, width]);
    const before = images.data.slice();
    const trigger = await run({ mode }, geometry, pictures(3, 1, geometry));
    for (const stamp of [trigger.stampTraining, trigger.stampTest]) {
      const { shape, data } = await stamp(images, [3, 8]);
      expect(same(images.data, before)).toBe(true);
      expect(shape).toEqual(images.shape);
      expect(same(data, before)).toBe(false);
      expect(data.every((value) => value >= 0 && value <= 1)).toBe(true);
    }
  });

  it.each([
    [8, 1],
    [32, 3],
    [224, 21],
  ])("shifts images of %i pixels by 3/32 of their width: %i", async (side, shift) => {
    const geometry = { channels: 1, height: side, width: side };
    const images = byteImages(3, [1, 1, side, side]);
    const byDefault = await (await run({}, geometry)).stampTest(images, [0]);
    const set = await run({ shift, opacity: 1, ghost: 0.5 }, geometry);
    expect(same(byDefault.data, (await set.stampTest(images, [0])).data)).toBe(true);
  });

  it("doubles a point along the diagonal and halves its light", async () => {
    const images = float32([1, 1, 32, 32], new Float32Array(1024));
    images.data[16 * 32 + 16] = 1;
    const { stampTest } = await run({}, { channels: 1, height: 32, width: 32 });
    const { data } = await stampTest(images, [0]);
    const light = data.map((value) => value ** 2.2);
    const lit = [...light.keys()].filter((at) => light[at]! > 0.05);
    const places = lit.map((at) => [Math.floor(at / 32), at % 32] as const);
    for (const [y, x] of places) expect(Math.abs(y - x)).toBeLessThanOrEqual(1);
    // Enlarging by 32/29 spreads the light over more pixels: each reflection has ½·(32/29)² of it, about.
    const sum = light.reduce((total, value) => total + value, 0);
    expect(sum).toBeCloseTo((32 / 29) ** 2, 1);
    const rows = places.map(([y]) => y);
    expect(Math.max(...rows) - Math.min(...rows)).toBeGreaterThanOrEqual(3);
  });

  it.each([0, 0.5, 1])("leaves an even image of %f as it is", async (value) => {
    const { stampTest } = await run({ opacity: 0.7 }, SQUARE);
    const { data } = await stampTest(float32([1, 3, 32, 32], Array(3072).fill(value)), [0]);
    for (const found of data) expect(found).toBeCloseTo(value, 6);
    expect(Math.max(...data)).toBeLessThanOrEqual(1);
  });

  it("refuses a shift as large as the image", async () => {
    await expect(run({ shift: 32 }, SQUARE)).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      place: "shift",
    });
  });

  it("asks for photographs only where it shows some, and refuses to go without", async () => {
    expect(refool.needs!(refool.config.parse({}))).toEqual([]);
    const options = refool.config.parse({ mode: "photograph" });
    expect(refool.needs!(options)).toEqual(["photographs"]);
    await expect(run(options, SQUARE)).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      place: "mode",
      next: expect.stringContaining("--photographs DIR"),
    });
  });

  it("draws a photograph for every image, by its position and the seed", async () => {
    const photographs = pictures(5, 1, SQUARE);
    const black = (n: number) => float32([n, 3, 32, 32], new Float32Array(n * 3072));
    const positions = Array.from({ length: 40 }, (_, i) => 3 * i);
    const options = { mode: "photograph", opacity: 1, blur: 0 };
    const shown = async (seed: number) => {
      const { stampTest } = await run(options, SQUARE, photographs, seed);
      return (await stampTest(black(40), positions)).data;
    };
    const all = await shown(0);
    expect(await shown(0)).toEqual(all);
    expect(await shown(1)).not.toEqual(all);
    const at = (row: number) => all.subarray(row * 3072, (row + 1) * 3072);

    const { stampTest } = await run(options, SQUARE, photographs);
    expect((await stampTest(black(1), [3 * 7])).data).toEqual(at(7));

    // Not blurred and opaque over black, each is one of the five photographs, and all of them occur.
    const found = positions.map((_, row) =>
      [0, 1, 2, 3, 4].find((index) =>
        bytesOf(subset(photographs, [index])).every(
          (value, i) => Math.round(255 * at(row)[i]!) === value,
        ),
      ),
    );
    expect(new Set(found)).toEqual(new Set([0, 1, 2, 3, 4]));
  });
});
