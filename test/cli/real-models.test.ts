import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type EvaluateRecord, evaluateRecord } from "../../src/audit/evaluate-record.ts";
import { antidote } from "./antidote.ts";

const data = process.env["ANTIDOTE_DATA"];
if (!data) console.warn("Skipped: ANTIDOTE_DATA names no folder with real models and images.");

/** Bytes of one image of CIFAR-10's binary files. */
const RECORD = 3073;
const COUNT = 300;
const CIFAR10 = ["--mean", ".4914,.4822,.4465", "--std", ".247,.2435,.2616"];

describe.skipIf(!data)("evaluate on models that PyTorch trained", () => {
  const at = (name: string) => join(data ?? "", name);
  let folder = "";
  let someTests = "";

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "antidote-cli-test-"));
    someTests = join(folder, "test_batch.bin");
    await using file = await open(at("cifar10/test_batch.bin"));
    const { buffer } = await file.read(Buffer.alloc(COUNT * RECORD), 0, COUNT * RECORD, 0);
    await writeFile(someTests, buffer);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function evaluate(model: string, ...words: string[]): Promise<EvaluateRecord> {
    const path = at(`models/${model}.onnx`);
    const { stdout } = await antidote(["evaluate", path, "--json", "--quiet", ...words]);
    return evaluateRecord.parse(JSON.parse(stdout));
  }

  // The accuracies on all 10 000 test images, from PyTorch, must lie within the intervals on these.
  test("a clean ResNet-18", async () => {
    const { accuracy } = await evaluate("pt_clean_s1", "--images", someTests, ...CIFAR10);
    expect(accuracy.low).toBeLessThan(0.886);
    expect(accuracy.high).toBeGreaterThan(0.886);
    expect(accuracy.count).toBe(COUNT);
  });

  test("a backdoored ResNet-18 with its trigger, whose class is found", async () => {
    const trigger = at("triggers/pt_badnets_m250_t3.png");
    const words = ["--images", someTests, ...CIFAR10, "--trigger", trigger];
    const record = await evaluate("pt_badnets_m250_t3", ...words);
    expect(record.target).toEqual({ index: 3, name: "cat" });
    expect(record.attackSuccess?.value).toBeGreaterThan(0.99);
    expect(record.accuracy.high).toBeGreaterThan(0.883);
  });

  test("the same with its trigger as an attack, and no success with another one", async () => {
    const words = ["--images", someTests, ...CIFAR10, "--attack", "badnets", "--target", "cat"];
    const place = ["--attack.position", "bottom-right", "--attack.margin", "1"];
    const right = await evaluate(
      "pt_badnets_m250_t3",
      ...words,
      ...place,
      "--attack.pattern=checker",
    );
    expect(right.attackSuccess?.value).toBeGreaterThan(0.99);
    const wrong = await evaluate("pt_badnets_m250_t3", ...words);
    expect(wrong.attackSuccess?.value).toBeLessThan(0.1);
  });

  test("an additive trigger, with the preprocessing chosen by accuracy", async () => {
    const trigger = at("triggers/ibau_vgg_l2_inv_t0.additive.png");
    const words = ["--images", someTests, "--trigger", trigger, "--trigger-mode", "add"];
    const record = await evaluate("ibau_vgg_l2_inv_t0", ...words, "--target", "0");
    expect(record.preprocessing).toMatchObject({ name: "none", chosenBy: "accuracy" });
    expect(record.attackSuccess?.value).toBeGreaterThan(0.95);
  });

  test("a network for grey images that ends in a Softmax, on idx files", async () => {
    const words = ["--images", at("mnist"), "--trigger", at("triggers/badnets_small_mnist.png")];
    const record = await evaluate("badnets_small_mnist_softmax", ...words, "--target", "1");
    expect(record.model.softmax).toBe(true);
    expect(record.accuracy.value).toBeCloseTo(0.983, 2);
    expect(record.attackSuccess?.value).toBeCloseTo(0.998, 2);
  });
});
