import { expect, test } from "vitest";
import { Random } from "../../src/core/random.ts";
import { float32 } from "../../src/core/tensor.ts";
import { maskCell, maskedFamily } from "../../src/inversion/trigger-family.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { testDevice } from "../support/device.ts";

const device = await testDevice();
const family = maskedFamily();

/** What two triggers make of black images in a graph, their sizes there, and their overlays. */
async function drawn(side: number) {
  const geometry = { channels: 3, height: side, width: side };
  const start = family.start(2, geometry, Random.fromSeed(1));
  const b = new GraphBuilder();
  const values = new Map([...start].map(([name, tensor]) => [name, b.constant(tensor)]));
  const at = (name: string) => values.get(name)!;
  const x = b.input("images", "float32", [2, 1, 3, side, side]); // [M,b,C,H,W]
  b.output("stamped", family.apply(b, at, x));
  b.output("size", family.size(b, at));
  const program = await device.compile(b.build());
  try {
    const black = float32(x.shape, new Float32Array(6 * side * side));
    const { stamped, size } = await program.run({ images: black });
    const overlays = [0, 1].map((m) => family.overlay(start, m, geometry));
    return { stamped: stamped!.data as Float32Array, size: size!.data as Float32Array, overlays };
  } finally {
    await program.release();
  }
}

test.each([32, 75])(
  "a masked trigger of %i pixels is in the graph what its overlay is",
  async (side) => {
    const { stamped, size, overlays } = await drawn(side);
    overlays.forEach((overlay, m) => {
      const shown = stamped.subarray(m * overlay.add.data.length);
      overlay.add.data.forEach((value, at) => {
        expect(shown[at]).toBeCloseTo(value, 5);
      });
      expect(size[m]! / family.sizeOf(overlay)).toBeCloseTo(1, 5);
    });
  },
);

test("the mask of a large image is of one value within a square, and its pattern is not", async () => {
  const side = 75;
  expect(maskCell({ height: side, width: side })).toBe(2);
  const { overlays } = await drawn(side);
  const { keep, add } = overlays[0]!;
  const row = keep.data.subarray(0, side);
  expect(row[0]).toBe(row[1]);
  expect(row[1]).not.toBe(row[2]);
  // The last cell is what is left of the side.
  expect(row[74]).not.toBe(row[73]);
  expect(add.data[0]).not.toBe(add.data[1]);
});

test("masks follow the images of CIFAR-10 pixel by pixel, and 224 pixels in 32 cells", () => {
  expect([28, 32, 224].map((side) => maskCell({ height: side, width: side }))).toEqual([1, 1, 7]);
});
