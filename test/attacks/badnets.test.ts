import { describe, expect, it } from "vitest";
import { badnets } from "../../src/attacks/badnets.ts";
import { PATTERNS } from "../../src/attacks/patterns.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { zeros } from "../../src/core/tensor.ts";
import { noDevice } from "./no-device.ts";

/** What the stamp writes over black images of one channel, as rows. */
async function stampBlack(options: object, side = 32, channels = 1): Promise<number[][]> {
  const geometry = { channels, height: side, width: side };
  const context = { device: noDevice, random: Random.fromSeed(0), emit: silent };
  const config = badnets.config.parse(options);
  const { stampTest } = await badnets.run(context, { geometry, classes: 2, target: 0 }, config);
  const { data } = await stampTest(zeros([2, channels, side, side]), [0, 1]);
  // The last plane of the second image.
  const plane = data.subarray((2 * channels - 1) * side * side);
  return Array.from({ length: side }, (_, y) => [...plane.subarray(y * side, (y + 1) * side)]);
}

function changed(rows: number[][]): string[] {
  return rows.flatMap((row, y) => row.flatMap((value, x) => (value > 0 ? [`${y},${x}`] : [])));
}

describe("badnets", () => {
  it("is 3/32 of the image width in the top-left corner by default", async () => {
    for (const [side, patch] of [
      [32, 3],
      [64, 6],
      [224, 21],
    ] as const) {
      const places = changed(await stampBlack({}, side)).map((place) =>
        place.split(",").map(Number),
      );
      expect(Math.max(...places.flat())).toBe(patch - 1);
    }
  });

  it("puts a checkerboard where it is told to, on every channel", async () => {
    const options = { pattern: "checker", position: "bottom-right", margin: 1 };
    const expected = ["28,28", "28,30", "29,29", "30,28", "30,30"];
    expect(changed(await stampBlack(options))).toEqual(expected);
    expect(changed(await stampBlack(options, 32, 3))).toEqual(expected);
  });

  it("blends by its opacity", async () => {
    const rows = await stampBlack({ pattern: "white", size: 2, opacity: 0.25 });
    expect(rows[1]!.slice(0, 3)).toEqual([0.25, 0.25, 0]);
  });

  it("refuses a patch that does not fit", async () => {
    await expect(stampBlack({ size: 30, margin: 3 })).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      place: "size",
    });
  });

  it("draws an apple: dark in the middle, white in the corners, a stem above", () => {
    const size = 24;
    const apple = PATTERNS.apple(size);
    const at = (y: number, x: number) => apple[y * size + x];
    expect(at(14, 12)).toBe(0);
    for (const corner of [at(0, 0), at(0, 23), at(23, 0), at(23, 23)]) expect(corner).toBe(1);
    expect(at(6, 12)).toBeLessThan(0.5); // stem
    expect(at(6, 6)).toBe(1); // beside it
    const small = PATTERNS.apple(3);
    expect(small[4]).toBeLessThan(0.1);
    expect(Math.min(small[0]!, small[2]!)).toBeGreaterThan(0.6);
  });
});
