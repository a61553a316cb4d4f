import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { equals } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Random } from "../../src/core/random.ts";
import { float32, sizeOf, type Tensor } from "../../src/core/tensor.ts";
import { exportModel } from "../../src/onnx/export.ts";
import { readOnnxFile, writeOnnxFile } from "../../src/onnx/file.ts";
import { importGraph } from "../../src/onnx/import.ts";
import { ModelProtoSchema } from "../../src/onnx/proto/generated/onnx_pb.ts";
import { runGraph, runModel } from "./run.ts";

const data = process.env["ANTIDOTE_DATA"];
const folder = data === undefined ? "" : join(data, "models");
const models = existsSync(folder)
  ? readdirSync(folder).filter((name) => name.endsWith(".onnx"))
  : [];

/** Operators per model, counted with the onnx package for Python. */
const OPERATORS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  "akamaster_resnet20_clean.onnx": { Conv: 19, Relu: 19, Add: 9, Slice: 6, Pad: 2, Gemm: 1 },
  "badnets_small_mnist_softmax.onnx": { Conv: 2, Relu: 3, AveragePool: 2, Gemm: 2, Softmax: 1 },
  "imagenet_squeezenet1_1.onnx": { Conv: 26, Relu: 26, MaxPool: 3, Concat: 8, Flatten: 1 },
  "nad_wrn16_clean.onnx": { Conv: 15, BatchNormalization: 7, Relu: 13, ReduceMean: 1, Gemm: 1 },
  "pt_clean_s1.onnx": { Conv: 20, Relu: 17, Add: 8, ReduceMean: 1, Gemm: 1 },
};

describe.skipIf(models.length === 0)("real models (needs ANTIDOTE_DATA)", () => {
  let scratch: string;
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), "onnx-models-"));
  });
  afterAll(() => rm(scratch, { recursive: true }));

  it.each(models)("%s: written again, byte for byte the same", async (name) => {
    const path = join(folder, name);
    const file = await readOnnxFile(path);
    const weights = [...importGraph(file).constants].filter(([, { type }]) => type === "float32");
    const copy = join(scratch, name);
    await writeOnnxFile(copy, exportModel(file, new Map(weights), {}));
    expect((await readFile(copy)).equals(await readFile(path))).toBe(true);
  });

  it.each(models)("%s: imported, computes the same bit for bit", async (name) => {
    const file = await readOnnxFile(join(folder, name));
    const graph = importGraph(file);
    const counts = new Map<string, number>();
    for (const { op } of graph.nodes) counts.set(op, (counts.get(op) ?? 0) + 1);
    expect(Object.fromEntries(counts)).toMatchObject(OPERATORS[name] ?? {});
    expect(graph.inputs.map((input) => input.name)).toEqual(["input"]);

    const shape = graph.inputs[0]!.shape.map((extent, axis) => extent ?? (axis === 0 ? 2 : 64));
    const random = Random.fromSeed(1);
    const input = float32(
      shape,
      Array.from({ length: sizeOf(shape) }, () => random.normal()),
    );
    const expected = await runModel(file.path, { input });
    expect(await runGraph(graph, { input }, expected)).toEqual(expected);
  });

  it("changes the weights that are given, and nothing else", async () => {
    const file = await readOnnxFile(join(folder, "pt_clean_s1.onnx"));
    const [name, weight] = [...importGraph(file).constants].find(([, w]) => w.shape.length === 4)!;
    const changed: Tensor = { ...weight, data: (weight.data as Float32Array).map((w) => 2 * w) };
    const exported = exportModel(file, new Map([[name, changed]]), { "antidote.note": "doubled" });
    const restored = exportModel(exported, new Map([[name, weight]]), {});
    expect(restored.model.metadataProps.map(({ key, value }) => [key, value])).toEqual([
      ["antidote.note", "doubled"],
    ]);
    restored.model.metadataProps = [];
    expect(equals(ModelProtoSchema, restored.model, file.model)).toBe(true);
    expect(equals(ModelProtoSchema, exported.model, file.model)).toBe(false);
    expect(importGraph(exported).constants.get(name)).toEqual(changed);
  });
});
