import { describe, expect, test } from "vitest";
import { convWeightGradient } from "../../src/autodiff/rules/convolution.ts";
import type { FloatTensor } from "../../src/core/tensor.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { testDevice } from "../support/device.ts";
import { fill } from "../train/fill.ts";

const device = await testDevice();
const [BATCH, INPUTS, HEIGHT, WIDTH] = [3, 16, 9, 8];

interface Form {
  readonly kernel?: readonly [number, number];
  readonly strides?: readonly [number, number];
  readonly dilations?: readonly [number, number];
  readonly pads?: readonly [number, number, number, number];
  readonly group?: number;
}

/** dL/dw by its definition: Σ over images and positions of dy · what the tap meets. */
function direct(x: FloatTensor, dy: FloatTensor, form: Required<Form>): number[] {
  const { kernel, strides, dilations, pads, group } = form;
  const [, outputs, rows, columns] = dy.shape as [number, number, number, number];
  const at = (n: number, c: number, h: number, w: number) =>
    h < 0 || w < 0 || h >= HEIGHT || w >= WIDTH
      ? 0
      : x.data[((n * group * INPUTS + c) * HEIGHT + h) * WIDTH + w]!;
  const result: number[] = [];
  for (let k = 0; k < outputs; k++) {
    const first = Math.floor(k / (outputs / group)) * INPUTS;
    for (let c = first; c < first + INPUTS; c++) {
      for (let i = 0; i < kernel[0]; i++) {
        for (let j = 0; j < kernel[1]; j++) {
          let sum = 0;
          for (let n = 0; n < BATCH; n++) {
            for (let r = 0; r < rows; r++) {
              for (let q = 0; q < columns; q++) {
                const h = r * strides[0] + i * dilations[0] - pads[0];
                const w = q * strides[1] + j * dilations[1] - pads[1];
                sum += dy.data[((n * outputs + k) * rows + r) * columns + q]! * at(n, c, h, w);
              }
            }
          }
          result.push(sum);
        }
      }
    }
  }
  return result;
}

describe("the gradient of a convolution for its weight, image by image", () => {
  test.each<[string, Form]>([
    ["a padded 3×3 kernel", { pads: [1, 1, 1, 1] }],
    ["no padding", {}],
    ["different padding on every side", { pads: [0, 1, 2, 3] }],
    ["groups", { pads: [1, 1, 1, 1], group: 2 }],
    ["dilation", { pads: [2, 3, 2, 3], dilations: [2, 3] }],
    ["a stride along the rows alone", { pads: [1, 1, 1, 1], strides: [1, 2] }],
    ["a 1×1 kernel", { kernel: [1, 1] }],
    ["a wide kernel", { kernel: [1, 5], pads: [0, 2, 0, 2] }],
    ["a tall kernel", { kernel: [4, 1], pads: [1, 0, 2, 0] }],
  ])("agrees with its definition: %s", async (_, given) => {
    const form: Required<Form> = {
      ...{ kernel: [3, 3], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], group: 1 },
      ...given,
    };
    const b = new GraphBuilder();
    const x = b.input("x", "float32", [BATCH, form.group * INPUTS, HEIGHT, WIDTH]);
    const shape = [4 * form.group, INPUTS, ...form.kernel];
    const y = b.conv(x, b.constant(fill(2, shape)), undefined, form, form.group);
    const dy = b.input("dy", "float32", y.shape);
    const built = b.nodes.length;
    b.output("dw", convWeightGradient(b, x, dy, form, form.group, shape));
    // One product per column of the kernel: this form and no other was taken.
    const products = b.nodes.slice(built).filter(({ op }) => op === "MatMul");
    expect(products).toHaveLength(form.kernel[1]);
    await using program = await device.compile(b.build());
    const feeds = { x: fill(0, x.shape), dy: fill(1, dy.shape) };
    const { dw } = (await program.run(feeds)) as { dw: FloatTensor };
    expect(dw.shape).toEqual(shape);
    const expected = direct(feeds.x, feeds.dy, form);
    const size = Math.sqrt(expected.reduce((sum, v) => sum + v * v, 0) / expected.length);
    const worst = Math.max(...expected.map((v, i) => Math.abs(v - dw.data[i]!)));
    expect(worst / size).toBeLessThan(1e-5);
  });
});
