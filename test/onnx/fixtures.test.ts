import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { equals } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Tensor } from "../../src/core/tensor.ts";
import { checkReplaceable, exportModel } from "../../src/onnx/export.ts";
import { readOnnxFile, writeOnnxFile } from "../../src/onnx/file.ts";
import { importGraph } from "../../src/onnx/import.ts";
import { ModelProtoSchema } from "../../src/onnx/proto/generated/onnx_pb.ts";
import { convertFloat } from "../../src/onnx/tensors.ts";
import { runGraph, runModel, sample } from "./run.ts";

const fixture = (name: string) =>
  fileURLToPath(new URL(`./fixtures/${name}.onnx`, import.meta.url));

const flag = (on: boolean): Tensor => ({
  type: "bool",
  shape: [],
  data: Uint8Array.of(on ? 1 : 0),
});
const x = sample([2, 3]);

/** Files that another tool made (fixtures/make.py), with inputs to run them on. */
const FILES: [string, Record<string, Tensor>][] = [
  ["functions", { x, flag: flag(true) }],
  ["functions", { x, flag: flag(false) }],
  ["opset9", { input: sample([3, 3, 8, 8]) }],
  ["float16", { x: convertFloat(x, "float16") }],
  ["external", { x }],
];

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "onnx-fixtures-"));
});
afterAll(() => rm(scratch, { recursive: true }));

describe.each(FILES)("%s.onnx", (name, feeds) => {
  it("computes the same when imported", async () => {
    const file = await readOnnxFile(fixture(name));
    const imported = importGraph(file);
    expect(imported.nodes.filter(({ domain }) => domain !== "")).toEqual([]);
    const expected = await runModel(file.path, feeds);
    expect(await runGraph(imported, feeds, expected)).toEqual(expected);
  });

  it("is the same model when written again, and still runs", async () => {
    const file = await readOnnxFile(fixture(name));
    const { constants } = importGraph(file);
    const initializers = file.model.graph?.initializer.map((it) => it.name) ?? [];
    const weights = initializers.map((it) => [it, constants.get(it)!] as const);
    const copy = join(scratch, `${name}.onnx`);
    await writeOnnxFile(copy, exportModel(file, new Map(weights), {}));
    if (name !== "external") {
      expect((await readFile(copy)).equals(await readFile(file.path))).toBe(true);
    }
    expect(await runModel(copy, feeds)).toEqual(await runModel(file.path, feeds));
  });
});

describe("exportModel", () => {
  it("keeps typed data typed, and everything else", async () => {
    const file = await readOnnxFile(fixture("opset9"));
    const bias = importGraph(file).constants.get("fc.bias")!;
    const ones: Tensor = { ...bias, data: new Float32Array(5).fill(1) };
    const note = { "antidote.note": "changed", author: "somebody else" };
    const exported = exportModel(file, new Map([["fc.bias", ones]]), note);
    expect(exported.model.metadataProps.map(({ key, value }) => [key, value])).toEqual([
      ["author", "somebody else"],
      ["antidote.note", "changed"],
    ]);
    const stored = exported.model.graph?.initializer.find(({ name }) => name === "fc.bias");
    expect([stored?.floatData, stored?.rawData.length]).toEqual([[1, 1, 1, 1, 1], 0]);

    const back = exportModel(exported, new Map([["fc.bias", bias]]), {});
    back.model.metadataProps = file.model.metadataProps;
    expect(equals(ModelProtoSchema, back.model, file.model)).toBe(true);
  });

  it("rounds float32 weights to a stored float16", async () => {
    const file = await readOnnxFile(fixture("float16"));
    const w: Tensor = { type: "float32", shape: [3, 4], data: new Float32Array(12).fill(0.1) };
    const changed = importGraph(exportModel(file, new Map([["w", w]]), {})).constants.get("w");
    expect(changed).toEqual({
      type: "float16",
      shape: [3, 4],
      data: new Uint16Array(12).fill(0x2e66),
    });
  });

  it("writes changed external weights to a file of their own", async () => {
    const file = await readOnnxFile(fixture("external"));
    const w: Tensor = { type: "float32", shape: [3, 4], data: new Float32Array(12).fill(2) };
    const path = join(scratch, "changed.onnx");
    await writeOnnxFile(path, exportModel(file, new Map([["w", w]]), {}));
    expect((await readFile(`${path}.data`)).byteLength).toBe(48);
    expect((await readFile(path)).byteLength).toBeLessThan(200);
    const again = await readOnnxFile(path);
    expect(importGraph(again).constants.get("w")).toEqual(w);
    const { y } = await runModel(path, { x });
    expect(y?.data).toHaveLength(8);
  });

  it("refuses a weight inside a function", async () => {
    const file = await readOnnxFile(fixture("functions"));
    const [name, weight] = [...importGraph(file).constants].find(([key]) => key.includes("::"))!;
    expect(() => exportModel(file, new Map([[name, weight]]), {})).toThrow(
      expect.objectContaining({ code: "MODEL_INVALID", place: name }),
    );
    expect(() => checkReplaceable(file, [name])).toThrow(name);
  });
});
