import { describe, expect, test } from "vitest";
import { workOf } from "../../src/audit/estimate.ts";
import { fitting, inBytes, within } from "../../src/audit/memory.ts";
import { auditOptions } from "../../src/audit/options.ts";
import {
  CONTROLS,
  describeScreening,
  SCREENED_FROM,
  screeningFor,
} from "../../src/audit/screening.ts";
import { reasonsFor } from "../../src/audit/words.ts";
import { proportion } from "../../src/core/statistics.ts";
import { float32 } from "../../src/core/tensor.ts";
import { additive } from "../../src/data/overlay.ts";
import { combined } from "../../src/detectors/combined.ts";
import { mmBd } from "../../src/detectors/mm-bd.ts";
import { ruleOf } from "../../src/detectors/rules.ts";
import { smallestTrigger } from "../../src/detectors/smallest-trigger.ts";
import { FAMILY_NAMES } from "../../src/inversion/trigger-family.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { imagesFitting } from "../../src/models/memory.ts";
import type { Device } from "../../src/runtime/device.ts";
import { watched } from "../support/contract.ts";
import { testDevice } from "../support/device.ts";
import { noise, plainNet } from "../support/networks.ts";

const device = await testDevice();
const few = await Classifier.fromGraph(plainNet(8, SCREENED_FROM - 1), device);
const many = await Classifier.fromGraph(plainNet(8, SCREENED_FROM), device);
const plain = await Classifier.fromGraph(plainNet(8), device);
const detector = { method: smallestTrigger, config: smallestTrigger.config.parse({}) };

describe("whether classes are screened", () => {
  const planFor = (model: Classifier, options: object = {}) =>
    screeningFor(auditOptions.parse(options), detector, model);

  test("is decided by their number, unless somebody says how many are searched in full", async () => {
    expect(await planFor(few)).toBeUndefined();
    expect(await planFor(many)).toMatchObject({ survivors: 16, controls: CONTROLS });
    expect(await planFor(many, { screen: 0 })).toBeUndefined();
    expect(await planFor(few, { screen: 5 })).toMatchObject({ survivors: 5 });
  });

  test("they are not where nearly all would be searched after all", async () => {
    expect(await planFor(few, { screen: SCREENED_FROM - 1 - CONTROLS })).toBeUndefined();
  });

  test("is by the kinds of trigger that the detector searches", async () => {
    expect((await planFor(many))?.families).toEqual([...FAMILY_NAMES]);
    const margins = { method: mmBd, config: mmBd.config.parse({}) };
    const plan = await screeningFor(auditOptions.parse({}), margins, many);
    expect(plan?.families).toEqual(["masked", "smooth"]);
  });
});

test("a thousand classes, screened, are at most five times the work of ten", async () => {
  const screening = await screeningFor(auditOptions.parse({}), detector, many);
  const of = (classes: number, options: object = {}) => {
    const sizes = { classes, tuning: 800, heldOut: 200 };
    const work = workOf({ detector, repeats: 1, ...options }, sizes);
    return [...work.values()].reduce((sum, { amount }) => sum + amount, 0);
  };
  expect(of(1000, { screening }) / of(10)).toBeLessThan(5);
  expect(of(1000, { screening })).toBe(of(100_000, { screening }));
  expect(of(1000) / of(10)).toBeCloseTo(100, 5);
});

describe("a budget of memory", () => {
  test("lets fewer classes share a step, at least one, and never more than wanted", async () => {
    const wanted = detector.config.classesPerStep;
    expect((await fitting(detector, many, 4)).config["classesPerStep"]).toBe(wanted);
    const images = await imagesFitting([many], inBytes(1e-3));
    const fitted = (await fitting(detector, many, 1e-3)).config["classesPerStep"];
    expect(fitted).toBe(Math.min(wanted, Math.max(1, Math.floor(images / 8))));
    expect((await fitting(detector, many, 1e-9)).config["classesPerStep"]).toBe(1);
    expect(await imagesFitting([many], 1)).toBe(1);
  });

  test("holds for both halves of a detector that has two", async () => {
    const gibibytes = 1e-4;
    const config = combined.config.parse({
      ...{ families: ["additive"], steps: 2, marginSteps: 2 },
      ...{ marginImages: 30, classesPerStep: 5 },
    });
    const fitted = await fitting({ method: combined, config }, plain, gibibytes);
    const most = await imagesFitting([plain], inBytes(gibibytes));
    expect(most).toBeGreaterThan(config.images);
    expect(most).toBeLessThan(config.marginImages);
    const shown: number[] = [];
    const watching: Device = {
      name: device.name,
      threads: device.threads,
      compile(graph, options) {
        const images = graph.inputs.find(({ name }) => name === "images" || name === "x");
        if (graph.outputs.includes("metric/loss")) shown.push(images!.shape[0]!);
        return device.compile(graph, options);
      },
      peakMemory: () => device.peakMemory(),
      close: async () => {},
      [Symbol.asyncDispose]: async () => {},
    };
    const context = within(watched(watching, 0).context, gibibytes);
    const images = noise([0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
    const input = { model: plain, repaired: plain, search: images, heldOut: images };
    await combined.run(context, input, fitted.config as typeof config);
    expect(shown).toHaveLength(2);
    for (const rows of shown) expect(rows).toBeLessThanOrEqual(most);
  });

  test("counts the activations of a forward pass twice", async () => {
    const graph = await many.at(2);
    const values = graph.nodes.flatMap(({ outputs }) => outputs);
    const sizes = values.map((name) => graph.values.get(name)!.shape.reduce((a, b) => a * b, 1));
    const each = (4 * 2 * sizes.reduce((a, b) => a + b, 0)) / 2;
    expect(await imagesFitting([many], each * 10.5)).toBe(10);
  });
});

test("records and reasons name what was screened out", () => {
  const names = Array.from({ length: 6 }, (_, index) => `name ${index}`);
  const screening = describeScreening(
    {
      ranking: [3, 1, 5, 0, 2, 4],
      rankings: [],
      survivors: [3, 1],
      controls: [0, 1],
      targets: [0, 1, 3],
    },
    names,
  );
  expect(screening?.survivors).toEqual([
    { index: 3, name: "name 3" },
    { index: 1, name: "name 1" },
  ]);
  expect(screening?.screenedOut).toEqual([5, 2, 4]);
  expect(describeScreening(undefined, names)).toBeNull();

  const share = proportion(9, 10);
  const strongest = {
    ...{ target: 3, score: 2, found: true, size: 1, kept: share },
    trigger: additive(float32([1, 1, 1], [0])),
    success: { suspect: share, repaired: share },
  };
  const leading = {
    ...{
      target: 3,
      score: 2,
      interval: null,
      error: null,
      repeats: [2],
      found: true,
      strongest,
      typical: strongest,
    },
  };
  const about = { leading, classes: [leading], rule: ruleOf("size-gap", 6), name: "name 3" };
  const verdict = { verdict: "backdoored", doubts: [], deployable: null } as const;
  const said = reasonsFor({ ...about, ...verdict, screening }).join(" ");
  expect(said).toContain("Of 6 classes a cheap search of all picked 2, and 2 were drawn at random");
  expect(said).toContain("one of the 3 others would be missed");
  expect(said).toContain("no other examined class");
  expect(reasonsFor({ ...about, ...verdict, screening: null }).join(" ")).not.toContain("examined");
  // Of a trigger that never works the score does not tell by how much others are larger.
  const idle = { ...strongest, success: { suspect: proportion(0, 10), repaired: share } };
  const none = { ...about, leading: { ...leading, score: 0, strongest: idle } };
  expect(reasonsFor({ ...none, ...verdict, screening }).join(" ")).not.toContain("gets by");
});
