import { describe, expect, test } from "vitest";
import { outlierTail } from "../../src/core/statistics.ts";
import { float32 } from "../../src/core/tensor.ts";
import { searchLargestMargins } from "../../src/inversion/largest-margins.ts";
import { marginOutliers } from "../../src/inversion/margin-outlier.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { bytesPerImage } from "../../src/models/memory.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { openBatch } from "../../src/onnx/graph.ts";
import type { RunContext } from "../../src/runtime/context.ts";
import { expectProgress, watched } from "../support/contract.ts";
import { testDevice } from "../support/device.ts";
import { plainNet } from "../support/networks.ts";
import { recording } from "../support/recording.ts";

const device = await testDevice();
const GEOMETRY = { channels: 1, height: 2, width: 3 };
const PLAN = { steps: 60, images: 3, classesPerStep: 2, learningRate: 0.1 };
/** Weights of the two classes, one for each of six pixels. */
const WEIGHTS = [0.5, -1, 2, 0.3, -0.7, 1, -0.4, 0.6, -1, 0.9, 0.2, -2];

/** z = W·x */
async function linear(): Promise<Classifier> {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", [2, 1, 2, 3]);
  const columns = WEIGHTS.slice(0, 6).flatMap((weight, at) => [weight, WEIGHTS[6 + at]!]);
  const flat = b.op("Flatten", [x], {}, { type: "float32", shape: [2, 6] });
  b.output("logits", b.matmul(flat, b.constant(float32([6, 2], columns), "weight")));
  return Classifier.fromGraph(openBatch(b.build()), device);
}

describe("the largest margin of a class", () => {
  test("is the exact one of a linear network", async () => {
    const { context, events } = watched(device, 0);
    const model = await linear();
    const found = await searchLargestMargins(context, model, GEOMETRY, [0, 1], PLAN, "margins");
    const differences = WEIGHTS.slice(0, 6).map((weight, at) => weight - WEIGHTS[6 + at]!);
    const best = (sign: number) =>
      differences.reduce((sum, difference) => sum + Math.max(0, sign * difference), 0);
    for (const [target, sign] of [
      [0, 1],
      [1, -1],
    ] as const) {
      const { margin, images } = found[target]!;
      expect(margin).toBeCloseTo(best(sign), 4);
      expect(images).toHaveLength(3);
      // White where the pixel speaks for the class, black where it does not.
      expect([...images[0]!.data]).toEqual(differences.map((it) => (sign * it > 0 ? 1 : 0)));
    }
    expectProgress(events);
  });

  test("of some classes alone leaves the others out", async () => {
    const { context } = watched(device, 0);
    const model = await linear();
    const found = await searchLargestMargins(context, model, GEOMETRY, [1], PLAN, "margins");
    expect(found.map(({ target }) => target)).toEqual([1]);
  });

  test("is the same where memory is scarce, and no step shows more images than fit", async () => {
    const model = await Classifier.fromGraph(plainNet(8), device);
    const geometry = { channels: 3, height: 8, width: 8 };
    const each = bytesPerImage(await model.at(2), 2);
    const search = async (memory: number | undefined) => {
      const { context, events } = watched(device, 0);
      const sizes = new Set<number>();
      const own: RunContext = {
        ...context,
        memory,
        device: {
          ...recording(device),
          compile(graph, options) {
            sizes.add(graph.inputs.find(({ name }) => name === "x")!.shape[0]!);
            return device.compile(graph, options);
          },
        },
      };
      const plan = { ...PLAN, steps: 5 };
      const found = await searchLargestMargins(own, model, geometry, [0, 1, 2], plan, "margins");
      expectProgress(events);
      return { found, sizes: [...sizes] };
    };
    const plenty = await search(undefined);
    expect(plenty.sizes).toEqual([6]);
    for (const [fitting, wanted] of [
      [4, 3],
      [1, 1],
    ] as const) {
      const scarce = await search(each * fitting);
      expect(scarce.sizes).toEqual([wanted]);
      for (const [at, { target, margin, images }] of scarce.found.entries()) {
        const whole = plenty.found[at]!;
        expect(target).toBe(whole.target);
        expect(margin).toBeCloseTo(whole.margin, 5);
        // Sums of float32 in another order.
        images[0]!.data.forEach((value, i) => {
          expect(value).toBeCloseTo(whole.images[0]!.data[i]!, 5);
        });
      }
    }
  });
});

describe("margins among the classes", () => {
  const outliers = (...margins: number[]) =>
    marginOutliers(margins.map((margin, target) => ({ target, margin, images: [] })));

  test("are each compared with all others", () => {
    const [first] = outliers(50, 8, 9, 10, 11);
    expect(first!.p).toBeCloseTo(5 * outlierTail(50, [8, 9, 10, 11])!.p, 12);
    expect(first!.p).toBeLessThan(0.05);
    expect(outliers(12, 8, 9, 10, 11).every((outlier) => outlier.p > 0.1)).toBe(true);
  });

  test("stand out above others that no image wins, too", () => {
    expect(outliers(20, -2, -1, -3, -2)[0]!.p).toBeLessThan(0.05);
  });

  test("that are alike say nothing", () => {
    expect(outliers(2.3, 0.05, 0.05, 0.05, 0.05, 0.05).map(({ p }) => p)).toContain(1);
    expect(outlierTail(2.3, Array(9).fill(0.05))).toBeUndefined();
  });
});
