import { existsSync } from "node:fs";
import { readdir, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  assertApart,
  besides,
  fillFolder,
  isUnfinished,
  makeFolder,
  writeAtomically,
  writeText,
} from "../../src/core/write-file.ts";
import { folderWith } from "../data/temporary.ts";

test("a file that is written twice at the same time ends as one of the two", async () => {
  const folder = await folderWith({});
  const path = join(folder, "text");
  const texts = ["a", "b"].map((letter) => letter.repeat(1e6));
  await Promise.all(texts.map((text) => writeText(path, text)));
  expect(texts).toContain(await readFile(path, "utf8"));
  expect(await readdir(folder)).toEqual(["text"]);
});

test("processes of the same number on two machines do not write into one file", () => {
  expect(besides("model.onnx")).not.toBe(besides("model.onnx"));
  expect(isUnfinished(besides("model.onnx"))).toBe(true);
});

test("a write that fails leaves what was there, and nothing else", async () => {
  const folder = await folderWith({ "text/inside": "" });
  await expect(
    writeAtomically(join(folder, "text"), [{ offset: 0, bytes: new Uint8Array(9) }]),
  ).rejects.toMatchObject({ code: "OUTPUT_NOT_WRITABLE", place: join(folder, "text") });
  expect(await readdir(folder)).toEqual(["text"]);
});

test("a folder is made with those above it, by several at once", async () => {
  const folder = await folderWith({ file: "" });
  const inside = join(folder, "a", "b", "c");
  const made = await Promise.all([1, 2, 3].map(() => makeFolder(inside)));
  expect(made).toContain(join(folder, "a"));
  expect(await readdir(join(folder, "a", "b"))).toEqual(["c"]);
  expect(await makeFolder(inside)).toBeUndefined();
  const refused = { code: "OUTPUT_NOT_WRITABLE" };
  await expect(makeFolder(join(folder, "file"))).rejects.toMatchObject(refused);
  await expect(makeFolder(join(folder, "file", "x"))).rejects.toMatchObject(refused);
});

test.runIf(existsSync("/proc/self"))(
  "a folder that no system makes is refused at once",
  async () => {
    await expect(makeFolder("/proc/antidote/x")).rejects.toMatchObject({
      place: "/proc/antidote/x",
    });
  },
);

test("files of others that are not finished are not ours", () => {
  expect(isUnfinished("ubuntu.iso.part")).toBe(false);
});

test("a folder is filled without touching what lies beside it", async () => {
  const folder = await folderWith({ "set.partial/notes.txt": "mine" });
  await fillFolder(join(folder, "set"), (inside) => writeText(join(inside, "one"), "1"));
  expect((await readdir(folder)).sort()).toEqual(["set", "set.partial"]);
  expect(await readdir(join(folder, "set.partial"))).toEqual(["notes.txt"]);
});

test("nothing is written over what it is made of, whatever it is called", async () => {
  const folder = await folderWith({ "model.onnx": "", "earlier/repaired.onnx": "" });
  const at = (...names: string[]) => join(folder, ...names);
  await symlink(at("model.onnx"), at("link.onnx"));
  const refused = { code: "USAGE", place: at("model.onnx") };
  await expect(assertApart(at("model.onnx"), [at("model.onnx")])).rejects.toMatchObject(refused);
  await expect(assertApart(at("link.onnx"), [at("model.onnx")])).rejects.toMatchObject(refused);
  const inside = assertApart(at("earlier"), [at("model.onnx"), at("earlier", "repaired.onnx")]);
  await expect(inside).rejects.toMatchObject({ place: at("earlier", "repaired.onnx") });
  await assertApart(at("new.onnx"), [at("model.onnx")]);
  await assertApart(at("earlier"), [at("model.onnx"), at("missing")]);
});
