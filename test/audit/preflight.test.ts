import { describe, expect, test } from "vitest";
import { preflight } from "../../src/audit/preflight.ts";
import { type Progress, silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { float32 } from "../../src/core/tensor.ts";
import { type ImageSet, subset } from "../../src/data/images.ts";
import { Classifier } from "../../src/models/classifier.ts";
import {
  type NamedPreprocessing,
  type Preprocessing,
  usualPreprocessings,
} from "../../src/models/preprocessing.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { type Graph, openBatch } from "../../src/onnx/graph.ts";
import { testDevice } from "../support/device.ts";
import { pooled } from "../support/networks.ts";

/** A colour per class, in R, G, B. */
const COLOURS = [
  [200, 120, 120],
  [120, 200, 120],
  [120, 120, 200],
  [60, 60, 60],
  [190, 190, 190],
];
const CLASSES = COLOURS.length;

/** Images of one colour each, with a little noise, of all classes in turn. */
function colours(total: number): ImageSet {
  const random = Random.fromSeed(3);
  const labels = Int32Array.from({ length: total }, (_, i) => i % CLASSES);
  const images = Uint8Array.from({ length: total * 3 * 16 }, (_, at) => {
    const label = labels[Math.floor(at / 48)]!;
    return COLOURS[label]![Math.floor(at / 16) % 3]! + random.integer(-10, 11);
  });
  const classNames = ["red", "green", "blue", "dark", "light"];
  return { channels: 3, height: 4, width: 4, images, labels, classNames };
}

/**
 * Names the nearest colour, of images prepared as given: −|x − c|² = 2⟨c, x⟩ − |c|² up to what all
 * classes share. `order[k]` is the class whose colour the model calls k.
 */
function colourModel(
  preprocessing: Preprocessing,
  order: readonly number[] = [0, 1, 2, 3, 4],
): Graph {
  const { mean, std, range, channels } = preprocessing;
  const centres = order.map((label) => {
    const rgb = COLOURS[label]!.map((value, c) => {
      return ((range === "0-255" ? 255 : 1) * (value / 255 - mean[c]!)) / std[c]!;
    });
    return channels === "bgr" ? rgb.toReversed() : rgb;
  });
  const b = new GraphBuilder();
  const images = b.input("images", "float32", [1, 3, 4, 4]); // [N,3,4,4]
  const weight = centres.flatMap((centre) => centre.map((v) => 2 * v));
  const bias = centres.map((centre) => -centre.reduce((sum, v) => sum + v * v, 0));
  const product = b.op(
    "Gemm",
    [
      pooled(b, images),
      b.constant(float32([CLASSES, 3], weight), "fc.weight"),
      b.constant(float32([CLASSES], bias), "fc.bias"),
    ],
    { transB: 1 },
    { type: "float32", shape: [1, CLASSES] },
  );
  b.output("scores", product);
  return openBatch(b.build());
}

const device = await testDevice();

const context = (emit = silent as (event: Progress) => void) => ({
  device,
  random: Random.fromSeed(0),
  emit,
});
const usual = (name: string) => usualPreprocessings(3).find((it) => it.name === name)!;
const IDENTITY = usual("none");

describe("preflight", () => {
  test.each(["none", "0-255", "caffe", "none-bgr", "imagenet"])(
    'chooses the preprocessing "%s" of the model by accuracy',
    async (name) => {
      const model = await Classifier.fromGraph(colourModel(usual(name)), device);
      const events: Progress[] = [];
      const found = await preflight(
        context((e) => events.push(e)),
        model,
        colours(60),
      );
      const { tried } = found.preprocessing;
      const chosen = tried.find((it) => it.name === found.preprocessing.name)!;
      expect(chosen.accuracy.value).toBe(1);
      expect(found.preprocessing.how).toBe("accuracy");
      expect(found.classifier.preprocessing).toEqual(chosen.preprocessing);
      // The right one is as good as any; where it is not chosen, another does as well.
      const right = tried.find((it) => it.name === name)!;
      expect(right.accuracy.value).toBe(1);
      if (name === "none" || name === "none-bgr") expect(chosen).toBe(right);
      expect(tried.map((it) => it.name)).toEqual(usualPreprocessings(3).map((it) => it.name));
      expect(found.accuracy).toMatchObject({ value: 1, count: 60 });
      expect(found.predicted).toEqual(colours(60).labels);
      expect(events.at(-1)).toMatchObject({
        kind: "step",
        stage: "preflight",
        done: 540,
        total: 540,
      });
    },
  );

  test("compares preprocessings on at most 200 images, and measures on all", async () => {
    const model = await Classifier.fromGraph(colourModel(IDENTITY), device);
    const found = await preflight(context(), model, colours(250));
    expect(found.preprocessing.tried[0]!.accuracy.count).toBe(200);
    expect(found.accuracy.count).toBe(250);
  });

  test("uses the preprocessing that is given, and no other", async () => {
    const model = await Classifier.fromGraph(colourModel(usual("caffe")), device);
    const { name: _, ...given } = usual("caffe");
    const found = await preflight(context(), model, colours(60), given);
    expect(found.preprocessing).toMatchObject({ name: "given", how: "given" });
    expect(found.preprocessing.tried).toHaveLength(1);
    const { name: __, ...wrong } = IDENTITY;
    await expect(preflight(context(), model, colours(60), wrong)).rejects.toThrowError(
      /classifies .* correctly \(guessing: 20\.0 %\)/,
    );
  });

  describe("with what the model's maker states", () => {
    const stated = (...preprocessings: NamedPreprocessing[]) => ({
      preprocessings,
      warnings: ["another file was not looked at"],
    });
    const check = async (truth: string, ...claims: NamedPreprocessing[]) => {
      const model = await Classifier.fromGraph(colourModel(usual(truth)), device);
      const events: Progress[] = [];
      const own = context((e) => events.push(e));
      const found = await preflight(own, model, colours(60), undefined, stated(...claims));
      const warned = events.flatMap((e) => (e.kind === "warning" ? [e.message] : []));
      expect(warned).toEqual(found.warnings);
      return found;
    };
    const named = (name: string, from: NamedPreprocessing) => ({ ...from, name });

    test("takes it where nothing speaks against it, although others do as well", async () => {
      // Both tell these colours apart without an error; without the claim the identity would be taken.
      const odd = named("config.json", { ...IDENTITY, std: [0.99, 0.99, 0.99] });
      const found = await check("none", odd);
      expect(found.preprocessing.name).toBe("config.json");
      expect(found.classifier.preprocessing.std).toEqual(odd.std);
      expect(found.warnings).toEqual(["another file was not looked at"]);
      expect(found.preprocessing.tried.map((it) => it.name)).toContain("none");
    });

    test("tries one that is usual once, under the name of who states it", async () => {
      const found = await check("imagenet", named("imagenet (x.json)", usual("imagenet")));
      expect(found.preprocessing).toMatchObject({ name: "imagenet (x.json)", how: "accuracy" });
      const names = found.preprocessing.tried.map((it) => it.name);
      expect(names).toHaveLength(usualPreprocessings(3).length);
      expect(names).not.toContain("imagenet");
    });

    test("uses what accuracy says instead of a wrong one, and warns", async () => {
      const found = await check("none", named("x.json", { ...usual("caffe"), mean: [0.9, 0, 0] }));
      expect(found.preprocessing.name).toBe("none");
      expect(found.accuracy.value).toBe(1);
      expect(found.warnings[1]).toMatch(
        /gets \d+\.\d % .* "x\.json" that its maker states, but 100\.0 % with "none"/,
      );
    });

    test("does not look at it where flags give one", async () => {
      const model = await Classifier.fromGraph(colourModel(IDENTITY), device);
      const claim = stated(named("x.json", usual("caffe")));
      const found = await preflight(context(), model, colours(60), IDENTITY, claim);
      expect(found.preprocessing).toMatchObject({ name: "given", how: "given" });
    });
  });

  test("names the order that permuted classes seem to have", async () => {
    // The model's class 0 is our class 1, …
    const shifted = await Classifier.fromGraph(colourModel(IDENTITY, [1, 2, 3, 4, 0]), device);
    await expect(preflight(context(), shifted, colours(60), IDENTITY)).rejects.toMatchObject({
      code: "CLASSES_MISMATCH",
      message: expect.stringMatching(/0\.0 % .* in another order/),
      next: expect.stringContaining(
        '"red" is the model\'s class 4, "green" is the model\'s class 0',
      ),
    });
  });

  test("finds two classes that changed places among many that are right", async () => {
    const swapped = await Classifier.fromGraph(colourModel(IDENTITY, [0, 1, 2, 4, 3]), device);
    await expect(preflight(context(), swapped, colours(60), IDENTITY)).rejects.toMatchObject({
      code: "CLASSES_MISMATCH",
      message: expect.stringMatching(/60\.0 % .* in another order/),
    });
  });

  test("takes one or two mistakes of a small class for mistakes", async () => {
    const model = await Classifier.fromGraph(colourModel(IDENTITY, [0, 1, 2, 4, 3]), device);
    // One image each of the two that change places: the rest says nothing about an order.
    const all = colours(60);
    const rows = [...all.labels.keys()].filter((row) => all.labels[row]! < 3 || row < 5);
    const found = await preflight(context(), model, subset(all, rows), IDENTITY);
    expect(found.accuracy.value).toBeCloseTo(36 / 38, 6);
  });

  test("stops at an accuracy that guessing could reach, with advice", async () => {
    const graph = colourModel(IDENTITY);
    const constants = new Map(graph.constants);
    constants.set("fc.bias", float32([CLASSES], [1e6, 0, 0, 0, 0]));
    const model = await Classifier.fromGraph({ ...graph, constants }, device);
    await expect(preflight(context(), model, colours(60))).rejects.toMatchObject({
      code: "ACCURACY_IMPLAUSIBLE",
      message: expect.stringContaining("20.0 %"),
      next: expect.stringContaining("--mean"),
    });
  });

  test("takes the commonest class for what guessing reaches", async () => {
    const graph = colourModel(IDENTITY);
    const constants = new Map(graph.constants);
    constants.set("fc.bias", float32([CLASSES], [1e6, 0, 0, 0, 0]));
    const model = await Classifier.fromGraph({ ...graph, constants }, device);
    const set = colours(60);
    const mostlyRed = { ...set, labels: set.labels.map((label, i) => (i % 10 < 8 ? 0 : label)) };
    await expect(preflight(context(), model, mostlyRed)).rejects.toMatchObject({
      code: "ACCURACY_IMPLAUSIBLE",
    });
  });

  test("refuses another number of classes before it computes anything", async () => {
    const model = await Classifier.fromGraph(colourModel(IDENTITY), device);
    const set = { ...colours(60), classNames: ["a", "b", "c", "d"] };
    await expect(preflight(context(), model, set)).rejects.toMatchObject({
      code: "CLASSES_MISMATCH",
      message: "The model has 5 classes, the trusted images have 4.",
    });
  });

  test("stops on request", async () => {
    const model = await Classifier.fromGraph(colourModel(IDENTITY), device);
    const signal = AbortSignal.abort();
    await expect(preflight({ ...context(), signal }, model, colours(60))).rejects.toMatchObject({
      code: "CANCELLED",
    });
  });
});
