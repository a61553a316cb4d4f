import { expect, test } from "vitest";
import { Random } from "../../src/core/random.ts";
import { float32 } from "../../src/core/tensor.ts";
import { smoothFamily } from "../../src/inversion/trigger-family.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { testDevice } from "../support/device.ts";
import { fill } from "../train/fill.ts";

const device = await testDevice();

const GEOMETRY = { channels: 2, height: 12, width: 10 };
const family = smoothFamily();
const start = family.start(3, GEOMETRY, Random.fromSeed(1));
const overlayOf = (m: number) => family.trigger(start, m, GEOMETRY).add;

/** What the graph makes of images, and the sizes. */
async function applied(images: Float32Array) {
  const b = new GraphBuilder();
  const values = new Map([...start].map(([name, tensor]) => [name, b.constant(tensor)]));
  const at = (name: string) => values.get(name)!;
  const x = b.input("images", "float32", [3, 1, 2, 12, 10]); // [M,b,C,H,W]
  b.output("stamped", family.apply(b, at, x));
  b.output("size", family.size(b, at));
  const program = await device.compile(b.build());
  try {
    const { stamped, size } = await program.run({ images: float32([3, 1, 2, 12, 10], images) });
    return { stamped: stamped!.data as Float32Array, size: size!.data as Float32Array };
  } finally {
    await program.release();
  }
}

test("a smooth trigger in the graph is the one that its overlay holds", async () => {
  const { stamped, size } = await applied(new Float32Array(720).fill(0.5));
  for (let m = 0; m < 3; m++) {
    const { data, shape } = overlayOf(m);
    expect(shape).toEqual([2, 12, 10]);
    data.forEach((value, at) => {
      expect(stamped[m * 240 + at]).toBeCloseTo(Math.min(1, Math.max(0, 0.5 + value)), 5);
    });
    // The transform keeps the norm: the size in the graph is that of the pattern.
    expect(size[m]).toBeCloseTo(Math.hypot(...data), 5);
  }
});

test("a smooth trigger has no frequency from the ninth on", () => {
  const { data } = overlayOf(0);
  for (let channel = 0; channel < 2; channel++) {
    for (const [height, width] of [
      [8, 0],
      [11, 3],
      [2, 9],
    ] as const) {
      let amount = 0;
      for (let y = 0; y < 12; y++) {
        for (let x = 0; x < 10; x++) {
          const wave = Math.cos((Math.PI * (y + 0.5) * height) / 12);
          amount +=
            data[(channel * 12 + y) * 10 + x]! *
            wave *
            Math.cos((Math.PI * (x + 0.5) * width) / 10);
        }
      }
      expect(Math.abs(amount)).toBeLessThan(1e-6);
    }
  }
});

test("images stay within [0,1]", async () => {
  const extreme = Float32Array.from(fill(3, [720]).data, (v) => (v > 0 ? 1 : 0));
  const { stamped } = await applied(extreme);
  expect(Math.min(...stamped)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...stamped)).toBeLessThanOrEqual(1);
});
