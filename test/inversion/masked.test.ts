import { expect, test } from "vitest";
import { Random } from "../../src/core/random.ts";
import { float32 } from "../../src/core/tensor.ts";
import { maskCell, maskedFamily } from "../../src/inversion/trigger-family.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { testDevice } from "../support/device.ts";

const device = await testDevice();
const family = maskedFamily();

/** What two triggers make of black images in a graph, their sizes there, and their overlays. */
async function drawn(height: number, width: number) {
  const geometry = { channels: 3, height, width };
  const start = family.start(2, geometry, Random.fromSeed(1));
  const b = new GraphBuilder();
  const values = new Map([...start].map(([name, tensor]) => [name, b.constant(tensor)]));
  const at = (name: string) => values.get(name)!;
  const x = b.input("images", "float32", [2, 1, 3, height, width]); // [M,b,C,H,W]
  b.output("stamped", family.apply(b, at, x));
  b.output("size", family.size(b, at));
  const program = await device.compile(b.build());
  try {
    const black = float32(x.shape, new Float32Array(6 * height * width));
    const { stamped, size } = await program.run({ images: black });
    const overlays = [0, 1].map((m) => family.trigger(start, m, geometry));
    return { stamped: stamped!.data as Float32Array, size: size!.data as Float32Array, overlays };
  } finally {
    await program.release();
  }
}

test.each([
  [32, 32],
  [75, 101],
  [101, 75],
])(
  "a masked trigger of %i×%i pixels is in the graph what its overlay is",
  async (height, width) => {
    const { stamped, size, overlays } = await drawn(height, width);
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
  const [height, width] = [75, 101];
  expect(maskCell({ height, width })).toBe(2);
  const { overlays } = await drawn(height, width);
  const { keep, add } = overlays[0]!;
  const at = (y: number, x: number) => keep.data[y * width + x];
  for (const [y, x] of [
    [0, 1],
    [1, 0],
    [1, 1],
  ] as const) {
    expect(at(y, x)).toBe(at(0, 0));
  }
  expect([at(0, 2), at(2, 0)]).not.toContain(at(0, 0));
  // The last cells are what is left of the sides.
  expect(at(0, 100)).not.toBe(at(0, 99));
  expect(at(74, 0)).not.toBe(at(73, 0));
  expect(add.data[0]).not.toBe(add.data[1]);
});

test("masks follow the images of CIFAR-10 pixel by pixel, and 224 pixels in 32 cells", () => {
  expect([28, 32, 224].map((side) => maskCell({ height: side, width: side }))).toEqual([1, 1, 7]);
});
