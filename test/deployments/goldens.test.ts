import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { silent } from "../../src/core/progress.ts";
import { type FloatTensor, float32 } from "../../src/core/tensor.ts";
import { ascending } from "../../src/data/images.ts";
import { boundary, normalQuantile } from "../../src/deployments/boundary.ts";
import { strip } from "../../src/deployments/strip.ts";
import { BATCH, entropy, predictSuperimposed } from "../../src/deployments/superimposed.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { compilePredictor } from "../../src/models/predict.ts";
import { testDevice } from "../support/device.ts";
import { inOrder } from "../support/in-order.ts";
import { flatNet, noise } from "../support/networks.ts";

interface Golden {
  readonly trusted: number;
  readonly inputs: number;
  readonly copies: number;
  readonly falseRejection: number;
  readonly gain: number;
  readonly cases: readonly {
    readonly mixing: "sum" | "mean";
    readonly entropies: readonly number[];
    readonly served: Readonly<Record<"normal" | "empirical", readonly number[]>>;
  }[];
}

const golden: Golden = JSON.parse(
  readFileSync(new URL("goldens/strip.json", import.meta.url), "utf8"),
);
const { copies, falseRejection, gain } = golden;
const images = (n: number, seed: number) => noise(new Array(n).fill(0), { side: 2, seed });
const TRUSTED = images(golden.trusted, 7);
const INPUTS = images(golden.inputs, 9);

const device = await testDevice();
const plain = await Classifier.fromGraph(flatNet(2), device);
const weight = plain.weights.get("fc.weight") as FloatTensor;
const louder = float32(
  weight.shape,
  weight.data.map((value) => gain * value),
);
const model = plain.withWeights(new Map([["fc.weight", louder]]));

describe.each(golden.cases)("with the $mixing of images", ({ mixing, entropies, served }) => {
  test("entropies agree with NumPy", async () => {
    const predictor = await compilePredictor(device, model, BATCH);
    const over = { trusted: TRUSTED, copies, mixing, drawn: () => ascending(copies) };
    const found = await predictSuperimposed(predictor, INPUTS, over);
    await predictor.release();
    expect(found.entropies).toHaveLength(entropies.length);
    // Logits of up to 20 in float32 are right to 2e-6.
    for (const [i, value] of found.entropies.entries()) {
      expect(Math.abs(value - entropies[i]!)).toBeLessThan(1e-5);
    }
  });

  test.each(["normal", "empirical"] as const)("the %s boundary refuses the same", async (form) => {
    const options = strip.config.parse({ copies, mixing, falseRejection, boundary: form });
    const context = { device, random: inOrder(), emit: silent };
    const deployed = await strip.run(context, { model, trusted: TRUSTED }, options);
    expect([...(await deployed.predict(INPUTS))]).toEqual(served[form]);
    await deployed.release();
  });
});

test("the entropy of scores is that of their softmax, in bits", () => {
  expect(entropy(Float32Array.of(3, 3, 3, 3))).toBeCloseTo(2, 12);
  expect(entropy(Float32Array.of(Math.log(3), 0))).toBeCloseTo(2 - 0.75 * Math.log2(3), 6);
  // Scores whose exponentials overflow.
  expect(entropy(Float32Array.of(2000, 0))).toBe(0);
});

test("a boundary is a quantile, of the normal distribution or of the images", () => {
  const entropies = Float64Array.from({ length: 200 }, (_, i) => (i * 77) % 200);
  const below = (limit: number) => entropies.filter((value) => value < limit).length;
  expect(below(boundary(entropies, 0.01, "empirical"))).toBe(2);
  expect(below(boundary(entropies, 0.001, "empirical"))).toBe(0);
  // 99.5 − 2.3263·57.7
  expect(boundary(entropies, 0.01, "normal")).toBeCloseTo(-34.81, 2);
  // Python's statistics.NormalDist().inv_cdf
  for (const [p, z] of [
    [0.001, -3.090232306],
    [0.01, -2.326347874],
    [0.5, 0],
    [0.95, 1.644853627],
  ] as const) {
    expect(normalQuantile(p)).toBeCloseTo(z, 4);
  }
});
