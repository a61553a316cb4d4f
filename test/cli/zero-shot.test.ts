import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { detectRecord } from "../../src/audit/detect-record.ts";
import { evaluateRecord } from "../../src/audit/evaluate-record.ts";
import { inspectRecord } from "../../src/audit/inspect-record.ts";
import { repairRecord } from "../../src/audit/repair-record.ts";
import { trainRecord } from "../../src/audit/train-record.ts";
import { zeroShotRecord } from "../../src/audit/zero-shot-record.ts";
import { PROMPTS } from "../../src/models/clip/prompts.ts";
import { smallFolder } from "../models/clip/small.ts";
import { antidote } from "./antidote.ts";
import { coloursFolder } from "./colours.ts";

let folder = "";
const at = (name: string) => join(folder, name);
const JSON_ONLY = ["--json", "--quiet", "--threads", "1"];

beforeAll(async () => {
  folder = await coloursFolder();
  await mkdir(at("clip"));
  for (const [name, content] of Object.entries(smallFolder())) {
    await writeFile(join(at("clip"), name), content);
  }
  await writeFile(at("templates.txt"), "a photo of a {}.\nthe {}\n");
  await writeFile(at("one.txt"), "cat\n");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("zero-shot", () => {
  test("makes a classifier, named and whole", async () => {
    const words = ["--classes", at("images"), "--prompts", at("templates.txt")];
    const made = await antidote([
      "zero-shot",
      at("clip"),
      ...words,
      "--out",
      at("clip.onnx"),
      ...JSON_ONLY,
    ]);
    const record = zeroShotRecord.parse(JSON.parse(made.stdout));
    expect(record).toMatchObject({
      source: { files: ["model.safetensors"] },
      classes: ["red", "green", "blue"],
      prompts: ["a photo of a {}.", "the {}"],
      latent: 24,
      size: 32,
      preprocessing: { name: "preprocessor_config.json" },
      warnings: [],
    });

    const inspected = await antidote(["inspect", at("clip.onnx"), "--json"]);
    expect(inspectRecord.parse(JSON.parse(inspected.stdout))).toMatchObject({
      labels: ["red", "green", "blue"],
      head: { op: "Gemm", weight: "text_embeddings" },
      model: { latent: { size: 24 } },
      auditable: true,
      blockedBy: [],
    });
  });

  test("a fine-tuned, poisoned one is evaluated, searched and repaired", async () => {
    // Its weights are random, so it has to learn the colours first; a few images teach it a trigger as well.
    const data = ["--data", at("images"), "--size", "32", "--from", at("clip.onnx")];
    const attack = ["--attack", "badnets", "--poisoned", "6", "--target", "blue"];
    const training = ["--epochs", "12", "--batch", "10", "--learning-rate", "0.02"];
    const plain = ["--padding", "0", ...attack, ...training, "--out", at("tuned")];
    const trained = await antidote(["train", ...data, ...plain, ...JSON_ONLY]);
    expect(trainRecord.parse(JSON.parse(trained.stdout)).poison?.samples).toBe(6);

    const subject = [at("tuned/model.onnx"), "--images", at("images"), "--range", "0-1"];
    const evaluated = await antidote(["evaluate", ...subject, ...JSON_ONLY]);
    const { accuracy } = evaluateRecord.parse(JSON.parse(evaluated.stdout));
    expect(accuracy.value).toBeGreaterThan(0.9);
    const short = [...JSON_ONLY, "--effort", "quick"];
    const detected = await antidote(["detect", ...subject, ...short, "--detector.steps", "3"]);
    expect(detectRecord.parse(JSON.parse(detected.stdout)).classes).toHaveLength(3);
    const tuning = ["--repair", "pivotal-tuning", "--repair.steps", "2"];
    const repaired = await antidote([
      "repair",
      ...subject,
      ...short,
      ...tuning,
      "--out",
      at("repaired.onnx"),
    ]);
    expect(repairRecord.parse(JSON.parse(repaired.stdout)).repairedModel).toBe(at("repaired.onnx"));
  });

  test("says in words what was made, with its own sentences by default", async () => {
    const words = ["--classes", at("images"), "--out", at("half.onnx"), "--storage", "float16"];
    const { code, stdout } = await antidote(["zero-shot", at("clip"), ...words, "--quiet"]);
    expect(code).toBe(0);
    expect(stdout).toContain("3: red, green, blue");
    expect(stdout).toContain(`${PROMPTS.length}, such as "${PROMPTS[0]}"`);
    expect(stdout).toContain("32×32, colour, pixels in [0,1]; preprocessor_config.json inside");
  });

  test.each<[string, () => string[], string, number]>([
    [
      "one class alone",
      () => ["--classes", at("one.txt"), "--out", at("x.onnx")],
      "tells 1 class names",
      3,
    ],
    [
      "a file of the model as the output",
      () => ["--classes", at("images"), "--out", at("clip/model.safetensors")],
      "The result would be written over what it is made of",
      4,
    ],
    ["no classes", () => ["--out", at("x.onnx")], "--classes is missing", 4],
  ])("%s is refused", async (_, words, message, exit) => {
    const { code, stderr } = await antidote(["zero-shot", at("clip"), ...words(), "--quiet"]);
    expect(stderr).toContain(message);
    expect(code).toBe(exit);
  });
});
