import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { float32 } from "../../src/core/tensor.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { encodeGraph } from "../../src/onnx/encode.ts";
import { openBatch } from "../../src/onnx/graph.ts";
import { antidote } from "./antidote.ts";
import { coloursFolder } from "./colours.ts";

let [folder, model] = ["", ""];
beforeAll(async () => {
  folder = await coloursFolder();
  model = join(folder, "two-heads.onnx");
  await writeFile(model, twoHeads());
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Two outputs that may be class scores; only the second one tells the colours of `coloursFolder` apart. */
function twoHeads(): Uint8Array {
  const b = new GraphBuilder();
  const means = b.mean(b.input("input", "float32", [1, 3, 8, 8]), [2, 3]); // [N,3]
  const wrong = float32([3, 3], [0, 0, 9, 9, 0, 0, 0, 9, 0]);
  const right = float32([3, 3], [9, 0, 0, 0, 9, 0, 0, 0, 9]);
  b.output("aux", b.matmul(means, b.constant(wrong, "aux.weight")));
  b.output("scores", b.matmul(means, b.constant(right, "weight")));
  return encodeGraph({ ...openBatch(b.build()), values: new Map() });
}

test("--output says which of several outputs holds the class scores", async () => {
  const evaluate = ["evaluate", model, "--images", join(folder, "images"), "--threads", "1"];
  const unsaid = await antidote(evaluate);
  expect(unsaid.code).toBe(3);
  expect(unsaid.stderr).toContain("--output aux or --output scores");
  const { stdout } = await antidote([...evaluate, "--output", "scores"]);
  expect(stdout).toContain("accuracy        100%");
  const inspected = await antidote(["inspect", model, "--output", "aux"]);
  expect(inspected.stdout).toContain("logits      aux, 3 classes");
});

test("so does --output for a network that training goes on from", async () => {
  const out = join(folder, "tuned");
  const tune = ["train", "--from", model, "--data", join(folder, "images"), "--size", "8"];
  const rest = ["--out", out, "--epochs", "1", "--threads", "1"];
  const unsaid = await antidote([...tune, ...rest]);
  expect(unsaid.code).toBe(3);
  expect(unsaid.stderr).toContain("--output aux or --output scores");
  const { code } = await antidote([...tune, ...rest, "--output", "scores"]);
  expect(code).toBe(0);
  const inspected = await antidote(["inspect", join(out, "model.onnx")]);
  expect(inspected.stdout).toContain("scores, 3 classes");
  const useless = await antidote([
    "train",
    "--data",
    join(folder, "images"),
    "--output",
    "scores",
    ...rest,
  ]);
  expect(useless.stderr).toContain("There is --output, but no trained classifier.");
});
