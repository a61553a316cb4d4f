import { cp, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { evaluateRecord } from "../../src/audit/evaluate-record.ts";
import { inspectRecord } from "../../src/audit/inspect-record.ts";
import { encodeSafetensors } from "../../src/core/safetensors.ts";
import { float32, sizeOf } from "../../src/core/tensor.ts";
import { resnet18Parameters } from "../../src/models/resnet18.ts";
import { startValue } from "../train/fill.ts";
import { antidote } from "./antidote.ts";
import { coloursFolder } from "./colours.ts";

let folder = "";
let [model, images] = ["", ""];
const write = (name: string, content: unknown) =>
  writeFile(join(model, name), JSON.stringify(content));

beforeAll(async () => {
  folder = await coloursFolder();
  [model, images] = ["net", "images"].map((name) => join(folder, name)) as [string, string];
  await mkdir(join(model, "onnx"), { recursive: true });
  await cp(join(folder, "model.onnx"), join(model, "onnx", "model.onnx"));
  await cp(join(folder, "model.onnx"), join(model, "onnx", "model_fp16.onnx"));
  // Without a number in front only names tell the classes: in the alphabet blue comes first.
  for (const [index, name] of ["red", "green", "blue"].entries()) {
    await rename(join(images, `${index}_${name}`), join(images, name));
  }
  await write("config.json", { id2label: { 0: "red", 1: "green", 2: "blue" } });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("a folder of timm with weights alone: network, size and names are found", async () => {
  const timm = join(folder, "timm");
  await mkdir(timm);
  const shape = { channels: 3, classes: 3, baseWidth: 4, stem: "imagenet" } as const;
  const tensors = new Map(
    [...resnet18Parameters(shape)].map(([name, extents], seed) => [
      name,
      name.endsWith("running_var")
        ? float32(extents, new Float32Array(sizeOf(extents)).fill(1))
        : startValue(seed, name, extents),
    ]),
  );
  await writeFile(join(timm, "model.safetensors"), encodeSafetensors({ tensors, metadata: {} }));
  await writeFile(join(timm, "pytorch_model.bin"), "x");
  const config = {
    architecture: "resnet18",
    label_names: ["red", "green", "blue"],
    pretrained_cfg: { input_size: [3, 48, 48], mean: [0, 0, 0], std: [1, 1, 1], crop_pct: 0.75 },
  };
  await writeFile(join(timm, "config.json"), JSON.stringify(config));
  const { stdout } = await antidote(["inspect", timm, "--json"]);
  const record = inspectRecord.parse(JSON.parse(stdout));
  expect(record).toMatchObject({
    image: { channels: 3, height: 48, width: 48 },
    labelsFrom: "config.json (label_names)",
    sizing: "shorter side to 64 pixels, centre cut out (config.json)",
    auditable: true,
    warnings: [
      "The model's folder holds other models or weights, which nobody looked at: pytorch_model.bin.",
    ],
  });
  expect(record.model).toMatchObject({ file: "model.safetensors", classes: 3, producer: "" });
  expect((await antidote(["inspect", timm])).stdout).toMatch(/producer +none \(weights alone\)/);

  await rm(join(timm, "model.safetensors"));
  const refused = await antidote(["inspect", timm]);
  expect(refused.code).toBe(3);
  expect(refused.stderr).toContain('error MODEL_NOT_ONNX: "pytorch_model.bin" is a checkpoint');
  expect(refused.stderr).toContain(
    `torch.load('${join(timm, "pytorch_model.bin")}', map_location='cpu', weights_only=True)`,
  );
});

describe("a model folder as Hugging Face lays it out", () => {
  const evaluate = (...words: string[]) =>
    antidote(["evaluate", model, "--images", images, ...words]);

  test("gives class names and preprocessing, each with its source, and says what it left", async () => {
    await write("preprocessor_config.json", { do_rescale: true, do_normalize: false, size: 8 });
    const { stdout, stderr } = await evaluate("--json");
    const record = evaluateRecord.parse(JSON.parse(stdout));
    expect(record.accuracy.value).toBe(1);
    expect(record.preprocessing).toMatchObject({
      name: "none (preprocessor_config.json)",
      chosenBy: "accuracy",
    });
    expect(record.images).toMatchObject({
      classOrder: "class names in config.json (id2label)",
      sizing: "stretched to the model's size (preprocessor_config.json)",
    });
    expect(record.warnings).toEqual([
      "The model's folder holds other models or weights, which nobody looked at: onnx/model_fp16.onnx.",
    ]);
    expect(stderr).toContain("nobody looked at: onnx/model_fp16.onnx");
  });

  test("is not believed where trusted images say otherwise", async () => {
    await write("preprocessor_config.json", {
      image_mean: [0.9, 0, 0],
      image_std: [0.1, 1, 1],
      do_flip_channel_order: true,
    });
    const { stdout, stderr } = await evaluate();
    expect(stdout).toContain("preprocessing   none\n");
    expect(stdout).toContain("accuracy        100%");
    expect(stderr).toContain('"preprocessor_config.json" that its maker states, but 100.0 %');
  });

  test("shows in inspect what it states", async () => {
    const { stdout } = await antidote(["inspect", model, "--json"]);
    const record = inspectRecord.parse(JSON.parse(stdout));
    expect(record.labels).toEqual(["red", "green", "blue"]);
    expect(record.labelsFrom).toBe("config.json (id2label)");
    expect(record.stated[0]).toMatchObject({ name: "preprocessor_config.json", channels: "bgr" });
    const text = await antidote(["inspect", model]);
    expect(text.stdout).toContain("from config.json (id2label)");
    expect(text.stdout).toContain("preprocessor_config.json: 0-1, bgr, mean 0.9, 0, 0");
  });

  test("needs a vouched preprocessing where images bear no labels, and offers what it states", async () => {
    const words = ["detect", model, "--images", images, "--unlabelled"];
    const { code, stderr } = await antidote(words);
    expect(code).toBe(4);
    expect(stderr).toContain("--range 0-1 --channels bgr --mean 0.9,0,0 --std 0.1,1,1");
  });

  test("is refused where several variants could be meant", async () => {
    await rename(join(model, "onnx", "model.onnx"), join(model, "onnx", "model_int8.onnx"));
    const { code, stderr } = await evaluate();
    expect(code).toBe(3);
    expect(stderr).toContain("error MODEL_AMBIGUOUS: ");
    expect(stderr).toContain("onnx/model_fp16.onnx, onnx/model_int8.onnx");
  });
});
