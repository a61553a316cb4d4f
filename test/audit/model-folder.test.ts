import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findModel, readBeside } from "../../src/audit/model-folder.ts";
import { failureOf, folderWith } from "../data/temporary.ts";

const found = async (...names: string[]) => {
  const folder = await folderWith(Object.fromEntries(names.map((name) => [name, "x"])));
  const { path, ...rest } = await findModel(folder);
  expect(rest.folder).toBe(folder);
  return { path: path.slice(folder.length + 1), others: rest.others };
};

test("a file is what it is, and nothing beside it counts", async () => {
  const folder = await folderWith({ "a.onnx": "x", "model.onnx": "x", "config.json": "{}" });
  const path = join(folder, "a.onnx");
  expect(await findModel(path)).toEqual({ path, others: [] });
  const missing = join(folder, "gone.onnx");
  expect(await findModel(missing)).toEqual({ path: missing, others: [] });
});

test("of a folder it is onnx/model.onnx, then model.onnx, then the only one", async () => {
  expect((await found("onnx/model.onnx", "model.onnx")).path).toBe("onnx/model.onnx");
  expect((await found("model.onnx", "other.onnx")).path).toBe("model.onnx");
  expect(await found("resnet.onnx", "config.json")).toEqual({ path: "resnet.onnx", others: [] });
  expect((await found("onnx/model_quantized.onnx")).path).toBe("onnx/model_quantized.onnx");
});

test("every other file with weights is named", async () => {
  const names = ["onnx/model.onnx", "onnx/model_fp16.onnx", "model.safetensors", "README.md"];
  const { others } = await found(...names, "pytorch_model.bin");
  expect(others).toEqual(["model.safetensors", "onnx/model_fp16.onnx", "pytorch_model.bin"]);
});

test("several variants without a main one are refused by their names", async () => {
  expect(await failureOf(found("onnx/model_fp16.onnx", "onnx/model_quantized.onnx"))).toMatchObject(
    {
      code: "MODEL_AMBIGUOUS",
      message: expect.stringContaining("onnx/model_fp16.onnx, onnx/model_quantized.onnx"),
      next: expect.stringContaining("onnx/model_fp16.onnx"),
    },
  );
});

test("a folder without a model, and one that links out of itself", async () => {
  expect(await failureOf(found("config.json"))).toMatchObject({
    code: "MODEL_NOT_FOUND",
    next: expect.stringContaining("model.onnx"),
  });
  const outside = await folderWith({ "model.onnx": "x", "config.json": "{}" });
  const folder = await folderWith({});
  await symlink(join(outside, "model.onnx"), join(folder, "model.onnx"));
  await symlink(join(outside, "config.json"), join(folder, "config.json"));
  const refused = { code: "EXTERNAL_DATA_OUTSIDE", place: expect.stringContaining(folder) };
  expect(await failureOf(findModel(folder))).toMatchObject(refused);
  expect(await failureOf(readBeside(folder, "config.json"))).toMatchObject(refused);
});

test("small files beside a model are read, large and strange ones refused", async () => {
  const folder = await folderWith({
    "labels.txt": "\uFEFFcat\n",
    "large.json": new Uint8Array(16 * 2 ** 20 + 1),
    "binary.txt": Uint8Array.of(0xff, 0xfe, 0x80),
    "folder.json/x": "x",
  });
  expect(await readBeside(folder, "labels.txt")).toBe("cat\n");
  expect(await readBeside(folder, "gone.txt")).toBeUndefined();
  for (const [name, what] of [
    ["large.json", "16 MB are read at most"],
    ["binary.txt", "UTF-8"],
    ["folder.json", "not a file"],
  ] as const) {
    expect(await failureOf(readBeside(folder, name)), name).toMatchObject({
      code: "DATA_INVALID",
      message: expect.stringContaining(what),
      next: expect.stringContaining("path of the model itself"),
    });
  }
});
