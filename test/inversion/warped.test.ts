import { expect, test } from "vitest";
import { gradients } from "../../src/autodiff/gradients.ts";
import { Random } from "../../src/core/random.ts";
import { type FloatTensor, float32 } from "../../src/core/tensor.ts";
import { stampTrigger } from "../../src/data/fixed-trigger.ts";
import { warpedFamily } from "../../src/inversion/warped-family.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { testDevice } from "../support/device.ts";
import { fill } from "../train/fill.ts";

const device = await testDevice();
const family = warpedFamily();
const GEOMETRY = { channels: 2, height: 12, width: 10 };
/** [M,b,C,H,W] */
const SHAPE = [3, 2, 2, 12, 10];
const IMAGES = float32(
  SHAPE,
  fill(3, SHAPE).data.map((v) => 0.5 + v / 2),
);
// Wide enough to reach over the border at some places.
const start = new Map(
  [...family.start(3, GEOMETRY, Random.fromSeed(1))].map(([name, { shape, data }]) => [
    name,
    float32(
      shape,
      data.map((v) => 20 * v),
    ),
  ]),
);

/** What the graph makes of images with these frequencies, the sizes, and the slope of Σ weights·stamped. */
async function applied(frequencies: FloatTensor, weights: FloatTensor) {
  const b = new GraphBuilder();
  const value = b.input("frequencies", "float32", frequencies.shape);
  const at = () => value;
  const stamped = family.apply(b, at, b.constant(IMAGES));
  const loss = b.sum(b.mul(stamped, b.constant(weights)));
  b.output("stamped", stamped);
  b.output("size", family.size(b, at));
  b.output("loss", loss);
  b.output("slope", gradients(b, loss, [value])[0]!);
  const program = await device.compile(b.build());
  try {
    const found = await program.run({ frequencies });
    return Object.fromEntries(
      Object.entries(found).map(([name, { data }]) => [name, data as Float32Array]),
    ) as Record<"stamped" | "size" | "loss" | "slope", Float32Array>;
  } finally {
    await program.release();
  }
}

const WEIGHTS = fill(5, SHAPE);
const frequencies = start.get("frequencies")!;

test("a warp in the graph is the one that its field is", async () => {
  const { stamped, size } = await applied(frequencies, WEIGHTS);
  const block = 2 * 2 * 12 * 10;
  for (let m = 0; m < 3; m++) {
    const warp = family.trigger(start, m, GEOMETRY);
    expect(warp.field.shape).toEqual([2, 12, 10]);
    const own = float32([2, 2, 12, 10], IMAGES.data.slice(m * block, (m + 1) * block));
    stampTrigger(warp, own).data.forEach((value, at) => {
      expect(stamped[m * block + at]).toBeCloseTo(value, 4);
    });
    const squares = warp.field.data.reduce((sum, v) => sum + v * v, 0);
    expect(10 * size[m]!).toBeCloseTo(Math.sqrt(squares / 120), 4); // of the shorter side
    expect(family.sizeOf(warp)).toBeCloseTo(size[m]!, 5);
  }
});

test("the slope of a warp is the one that small steps measure", async () => {
  const { slope } = await applied(frequencies, WEIGHTS);
  const step = 2e-5; // hundredths of a pixel: hardly a place crosses into the next pixel
  let [error, scale] = [0, 0];
  for (let at = 0; at < frequencies.data.length; at += 37) {
    const [ahead, back] = await Promise.all(
      [step, -step].map(async (moved) => {
        const data = frequencies.data.slice();
        data[at]! += moved;
        return (await applied(float32(frequencies.shape, data), WEIGHTS)).loss[0]!;
      }),
    );
    const measured = (ahead! - back!) / (2 * step);
    error += (measured - slope[at]!) ** 2;
    scale += measured ** 2;
  }
  expect(Math.sqrt(error / scale)).toBeLessThan(0.03);
});
