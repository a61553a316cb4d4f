import { describe, expect, test } from "vitest";
import { float32 } from "../../src/core/tensor.ts";
import { classTournament } from "../../src/inversion/class-tournament.ts";
import { logProbabilities } from "../../src/inversion/log-probabilities.ts";
import {
  groupsFor,
  mergedByRank,
  rankedBy,
  screenClasses,
} from "../../src/inversion/screen-classes.ts";
import { boundedFamily } from "../../src/inversion/search-plan.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { predict } from "../../src/models/predict.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { openBatch } from "../../src/onnx/graph.ts";
import { expectProgress, watched } from "../support/contract.ts";
import { testDevice } from "../support/device.ts";
import { noise } from "../support/networks.ts";

const CLASSES = 60;
const SIDE = 8;
const IMAGES = noise(Array.from({ length: CLASSES }, (_, label) => label));
/** The class with a backdoor: four white pixels in a corner lead there. */
const TARGET = 37;
const PLAN = {
  families: ["masked", "smooth"],
  survivors: 8,
  controls: 8,
  groupsPerStep: 2,
} as const;

/** Scores that are linear in the pixels, by weights of ±¼ that are drawn by a formula, with a backdoor planted. */
function backdooredNet() {
  const b = new GraphBuilder();
  const images = b.input("images", "float32", [1, 3, SIDE, SIDE]);
  const length = 3 * SIDE * SIDE;
  const flat = b.op("Flatten", [images], {}, { type: "float32", shape: [1, length] });
  const weights = Float32Array.from({ length: CLASSES * length }, (_, at) =>
    Math.sin(12.9898 * at * at) > 0 ? 0.25 : -0.25,
  );
  for (let channel = 0; channel < 3; channel++) {
    for (const pixel of [0, 1, SIDE, SIDE + 1]) {
      weights[TARGET * length + channel * SIDE * SIDE + pixel] = 4;
    }
  }
  const weight = b.constant(float32([CLASSES, length], weights), "fc.weight");
  const result = { type: "float32", shape: [1, CLASSES] } as const;
  b.output("logits", b.op("Gemm", [flat, weight], { transB: 1 }, result));
  return openBatch(b.build());
}

const device = await testDevice();
const model = await Classifier.fromGraph(backdooredNet(), device);

describe("screening", () => {
  test.each([0, 1, 2])("picks the class to which a patch leads, with seed %d", async (seed) => {
    const { context, events } = watched(device, seed);
    const { survivors, controls, targets, ranking } = await screenClasses(
      context,
      model,
      IMAGES,
      PLAN,
    );
    expect(survivors).toContain(TARGET);
    expect(survivors).toEqual(ranking.slice(0, 8));
    expect(ranking.toSorted((a, b) => a - b)).toEqual(Array.from({ length: CLASSES }, (_, c) => c));
    expect(new Set(controls).size).toBe(8);
    expect(targets).toEqual([...new Set([...survivors, ...controls])].sort((a, b) => a - b));
    expectProgress(events);
  });

  test("is the same for the same seed; controls do not depend on the model", async () => {
    const run = (seed: number, of = model) =>
      screenClasses(watched(device, seed).context, of, IMAGES, PLAN);
    const weights = model.weights.get("fc.weight")!.data as Float32Array;
    const other = float32([CLASSES, weights.length / CLASSES], weights.toReversed());
    const [one, same, changed] = [
      await run(1),
      await run(1),
      await run(1, model.withWeights(new Map([["fc.weight", other]]))),
    ];
    expect(same).toEqual(one);
    expect(changed.controls).toEqual(one.controls);
    expect(changed.ranking).not.toEqual(one.ranking);
  });
});

test("a tournament names a winner in every group", async () => {
  const { context } = watched(device, 0);
  const plain = await logProbabilities(context, model, IMAGES);
  const rules = boundedFamily("masked", IMAGES);
  const effort = { steps: 20, images: 4, groups: 5, groupsPerStep: 2 };
  const plan = { ...rules, ...effort };
  const found = await classTournament(context, model, IMAGES, plain, plan, "tournament");
  // Five groups in steps of two: the sixth place only fills the last step.
  expect(found).toHaveLength(5);
  expect(new Set(found.map(({ winner }) => winner)).size).toBe(5);
  for (const { likelihoods } of found) {
    expect(likelihoods).toHaveLength(CLASSES);
    expect(likelihoods.every((value) => value <= 0)).toBe(true);
  }
});

test("log-probabilities are those of a softmax", async () => {
  const { context } = watched(device, 0);
  const logp = await logProbabilities(context, model, IMAGES);
  const { logits } = await predict(device, model, IMAGES);
  const first = [...logits.subarray(0, CLASSES)];
  const total = Math.log(first.reduce((sum, z) => sum + Math.exp(z), 0));
  first.forEach((z, c) => {
    expect(logp[c]).toBeCloseTo(z - total, 4);
  });
});

describe("rankings", () => {
  const trigger = (winner: number, ...likelihoods: number[]) => ({
    winner,
    likelihoods: Float32Array.from(likelihoods),
  });

  test("have winners first, then the others by the best likelihood", () => {
    const found = [trigger(0, -2, -1, -5, -4), trigger(3, -6, -7, -8, -3)];
    expect(rankedBy(found)).toEqual([0, 3, 1, 2]);
  });

  test("are merged by the best rank, the first ranking first among equals", () => {
    expect(mergedByRank([[2, 0, 1, 3]])).toEqual([2, 0, 1, 3]);
    expect(
      mergedByRank([
        [2, 0, 1, 3],
        [3, 2, 0, 1],
      ]),
    ).toEqual([2, 3, 0, 1]);
  });

  test("let every winner of a group survive", () => {
    expect(groupsFor({ survivors: 16, families: ["masked", "smooth", "additive"] })).toBe(5);
    expect(groupsFor({ survivors: 1, families: ["masked", "smooth"] })).toBe(1);
  });
});
