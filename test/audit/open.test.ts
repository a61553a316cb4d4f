import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openModel } from "../../src/audit/open.ts";
import { prepare } from "../../src/audit/prepare.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { float32 } from "../../src/core/tensor.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { encodeGraph } from "../../src/onnx/encode.ts";
import { openBatch } from "../../src/onnx/graph.ts";
import { failureOf, folderWith } from "../data/temporary.ts";
import { bytes, model, node, value } from "../onnx/build.ts";
import { testDevice } from "../support/device.ts";
import { linear, noise, pooled } from "../support/networks.ts";
import { fill } from "../train/fill.ts";

const device = await testDevice();

/** A file of a linear classifier with one more operator between its two layers. */
async function fileWith(op: string, domain: string): Promise<string> {
  const b = new GraphBuilder();
  const mean = pooled(b, b.input("images", "float32", [1, 3, 8, 8])); // [N,3]
  b.output("logits", linear(b, b.op(op, [mean], {}, mean), 5));
  const graph = openBatch(b.build());
  const nodes = graph.nodes.map((node) => (node.op === op ? { ...node, domain } : node));
  const path = join(await folderWith({}), "model.onnx");
  await writeFile(path, encodeGraph({ ...graph, nodes, values: new Map() }));
  return path;
}

test("a file exported in training mode is taken as in use, and said to be", async () => {
  const norm = node("BatchNormalization", ["h", "s", "b", "m", "v"], ["z", "u", "w"], {
    training_mode: 1,
  });
  const proto = model({
    opset: 17,
    nodes: [
      node("GlobalAveragePool", ["images"], ["h"]),
      norm,
      node("Flatten", ["z"], ["f"]),
      node("Gemm", ["f", "fc"], ["logits"]),
    ],
    inputs: [value("images", ["batch", 3, 8, 8])],
    outputs: [value("logits", ["batch", 5])],
    constants: {
      ...Object.fromEntries(["s", "b", "m", "v"].map((name) => [name, float32([3], [1, 2, 3])])),
      fc: fill(1, [3, 5]),
    },
  });
  const path = join(await folderWith({}), "model.onnx");
  await writeFile(path, bytes(proto));
  const { file, stated } = await openModel(device, path);
  expect(stated.warnings).toEqual([expect.stringContaining("in training mode (1 × BatchNorm")]);
  expect(file.model.graph?.node[1]?.output).toEqual(["z"]);
});

describe("an operator that Antidote cannot work with is named before any work", () => {
  test.each([
    ["com.example", "com.example:Twist"],
    ["", "the operator Twist"],
  ])('one that ONNX Runtime does not have, of the domain "%s"', async (domain, named) => {
    const path = await fileWith("Twist", domain);
    expect(await failureOf(openModel(device, path))).toMatchObject({
      code: "MODEL_UNSUPPORTED_OPERATOR",
      message: expect.stringContaining(named),
      place: expect.stringMatching(/^~Twist/),
      next: expect.stringContaining("Export the model"),
    });
  });

  test("one whose operands do not fit together", async () => {
    const path = await fileWith("MatMul", "");
    expect(await failureOf(openModel(device, path))).toMatchObject({
      code: "MODEL_INVALID",
      message: expect.stringContaining("ONNX Runtime refused"),
      place: expect.stringMatching(/^~MatMul/),
      next: expect.stringContaining("full_check"),
    });
  });

  test("one that no gradient can pass", async () => {
    const { file, classifier: model } = await openModel(device, await fileWith("Bernoulli", ""));
    // Too few images as well: the model is looked at first.
    const subject = { file, model, trusted: noise([0, 1, 2, 3, 4]) };
    const context = { device, random: Random.fromSeed(0), emit: silent };
    expect(await failureOf(prepare(context, subject, 0.2))).toMatchObject({
      code: "MODEL_NOT_DIFFERENTIABLE",
      message: expect.stringContaining("Bernoulli"),
    });
  });

  test("too few images of a class are counted before they are looked at", async () => {
    const { file, classifier: model } = await openModel(device, await fileWith("Relu", ""));
    const subject = { file, model, trusted: noise([0, 0, 0, 0, 0, 1, 1]) };
    const context = { device, random: Random.fromSeed(0), emit: silent };
    expect(await failureOf(prepare(context, subject, 0.2))).toMatchObject({
      code: "TOO_FEW_IMAGES",
      message: expect.stringContaining('"class 1" has 2, "class 2" has 0'),
    });
  });
});
