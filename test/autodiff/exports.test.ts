import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { gradients } from "../../src/autodiff/gradients.ts";
import { int64 } from "../../src/core/tensor.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { readOnnxFile } from "../../src/onnx/file.ts";
import { importGraph } from "../../src/onnx/import.ts";
import { crossEntropy } from "../../src/train/losses.ts";
import { testDevice } from "../support/device.ts";
import { execute } from "../support/execute.ts";
import { fill } from "../train/fill.ts";
import { euclidean, expectClose, type Summary } from "./whole-model.ts";

/** PyTorch's gradients of one exported network, or why it could not be exported: `exports/export.py`. */
interface Golden {
  readonly loss: number;
  readonly labels: readonly number[];
  readonly gradients: Readonly<Record<string, Summary>>;
  /** Numbers of parameters: all, and those whose gradients are compared. */
  readonly parameters: number;
  readonly compared: number;
  /** The largest relative error of PyTorch's own gradients in float32. */
  readonly rounding?: number;
  readonly error?: string;
}

/**
 * Rounding of float32 through a hundred layers; where it decides whether a ReLU is open, PyTorch's own error
 * is larger, and ours may be as large in another direction.
 */
const tolerance = ({ rounding = 0 }: Golden) => Math.max(5e-5, 2 * rounding);

/**
 * A parameter whose gradient is this small beside the largest has none: what follows takes its effect
 * away (a bias ahead of a normalisation), and PyTorch's number is rounding.
 */
const ZERO = 1e-9;

/** So much of it rounding to float32 may leave, beside the largest. */
const ROUNDING = 1e-6;

const device = await testDevice();

describe.each([
  ["narrow networks", fileURLToPath(new URL("fixtures/exports", import.meta.url))],
  ["networks exported now (npm run test:exports)", process.env["ANTIDOTE_EXPORTS"] ?? ""],
])("%s", (_, folder) => {
  const names = existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith(".json"))
        .map((name) => name.slice(0, -".json".length))
    : [];
  if (names.length === 0) test.skip("none has been exported");

  test.each(names)("%s: has PyTorch's gradients", async (name) => {
    const golden = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as Golden;
    if (golden.error !== undefined) {
      console.warn(`${name} could not be exported: ${golden.error}`);
      return;
    }
    const file = await readOnnxFile(join(folder, `${name}.onnx`));
    const classifier = await Classifier.fromGraph(importGraph(file), device);
    const batch = golden.labels.length;
    const network = await classifier.at(batch);

    const b = new GraphBuilder();
    const { channels, height, width } = classifier.image;
    const input = b.input("input", "float32", [batch, channels, height, width]);
    const tensor = b.inline(network, "", { [classifier.image.name]: input });
    const logits = tensor(classifier.roles.logits);
    const loss = b.mean(crossEntropy(b, logits, b.constant(int64(golden.labels))));
    const wrt = Object.keys(golden.gradients).map((of) => (of === "input" ? input : tensor(of)));
    const found = gradients(b, loss, wrt);
    b.output("loss", loss);
    for (const [i, value] of found.entries()) b.output(`${i}`, value);
    const results = await execute(b.build(), { input: fill(1, input.shape) });

    const [value] = results["loss"]!.data as Float32Array;
    expect(Math.abs(value! / golden.loss - 1)).toBeLessThan(tolerance(golden));
    const largest = Math.max(...Object.values(golden.gradients).map(([norm]) => norm));
    Object.entries(golden.gradients).forEach(([of, summary], i) => {
      const result = results[`${i}`]!;
      if (summary[0] > ZERO * largest) expectClose(result, summary, 10 + i, tolerance(golden), of);
      else {
        const left = euclidean(result.data as Float32Array) / largest;
        expect(left, of).toBeLessThan(ROUNDING);
      }
    });
    // Exporters compute with some parameters (positions' tables); the others are weights of the file.
    expect(golden.compared / golden.parameters).toBeGreaterThan(0.3);
  });
});
