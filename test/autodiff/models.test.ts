import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";
import { gradients } from "../../src/autodiff/gradients.ts";
import { liveBatchNorm, lowerBatchNorm } from "../../src/autodiff/live-batch-norm.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import type { StaticGraph, Value } from "../../src/onnx/graph.ts";
import { testDevice } from "../support/device.ts";
import { compile, execute } from "../support/execute.ts";
import { fill } from "../train/fill.ts";
import { euclidean, expectClose, loadModel, type Summary } from "./whole-model.ts";

/** PyTorch's gradients of one network: `goldens/generate_models.py`. */
interface Golden {
  readonly loss: number;
  readonly gradients: Readonly<Record<string, Summary>>;
  /** Running statistics after the batch, by name. */
  readonly running: Readonly<Record<string, Summary>>;
}

const here = (path: string) => new URL(path, import.meta.url);
const { models: GOLDENS } = JSON.parse(readFileSync(here("goldens/models.json"), "utf8")) as {
  models: Readonly<Record<string, { readonly eval: Golden; readonly train?: Golden }>>;
};
const BATCH = 3;

/** Rounding of float32 through some fifty layers; small batches make batch statistics touchier. */
const TOLERANCE = { eval: 5e-5, train: 2e-4 };

const device = await testDevice();

/** A network with its loss and gradients for the input and every constant of `names`. */
function differentiated(model: StaticGraph, names: readonly string[]) {
  const b = new GraphBuilder();
  const declared = model.inputs[0]!;
  const input = b.input("input", "float32", declared.shape);
  const lookup = b.inline(model, "", { [declared.name]: input });
  const logits = lookup(model.outputs[0]!);
  const loss = b.sum(b.mul(logits, b.constant(fill(2, logits.shape))));
  const wrt: Value[] = names.map((name) => (name === "input" ? input : lookup(name)));
  gradients(b, loss, wrt).forEach((value, i) => {
    b.output(`gradient of ${names[i]!}`, value);
  });
  b.output("loss", loss);
  for (const name of model.outputs.slice(1)) b.output(name, lookup(name));
  return { graph: b.build(), input: fill(1, declared.shape) };
}

describe.each(Object.entries(GOLDENS))("%s", (name, goldens) => {
  const path = here(`fixtures/${name}.onnx`).pathname;

  test("agrees with PyTorch in evaluation mode", async () => {
    const golden = goldens.eval;
    const { graph, input } = differentiated(
      await loadModel(path, BATCH, device),
      Object.keys(golden.gradients),
    );
    const results = await execute(graph, { input });
    Object.entries(golden.gradients).forEach(([of, summary], i) => {
      expectClose(results[`gradient of ${of}`], summary, 10 + i, TOLERANCE.eval);
    });
  });

  test.skipIf(!goldens.train)("agrees with PyTorch in training mode", async () => {
    const golden = goldens.train!;
    const live = liveBatchNorm(await loadModel(path, BATCH, device));
    const { graph, input } = differentiated(live.graph, Object.keys(golden.gradients));
    const run = await compile(lowerBatchNorm(graph));
    await run({ input });
    const results = await run({ input }); // a run leaves nothing behind that changes the next
    Object.entries(golden.gradients).forEach(([of, summary], i) => {
      // A bias ahead of batch norm has gradient 0 up to rounding.
      if (summary[0] > 1e-6) {
        expectClose(results[`gradient of ${of}`], summary, 10 + i, TOLERANCE.train);
      }
    });
    const running = Object.keys(golden.running);
    expect([...live.running.keys()].sort()).toEqual(running.toSorted());
    // Seeds count the buffers of batch norm: mean, variance, number of batches.
    running.forEach((of, i) => {
      const seed = 10 + 3 * Math.floor(i / 2) + (i % 2);
      expectClose(results[live.running.get(of)!], golden.running[of]!, seed, TOLERANCE.train);
    });
  });
});

const data = process.env["ANTIDOTE_DATA"];
const folder = data === undefined ? "" : join(data, "models");
const files = existsSync(folder)
  ? readdirSync(folder)
      .filter((name) => name.endsWith(".onnx"))
      .map((name) => join(folder, name))
  : [];

describe.skipIf(files.length === 0)("real models (needs ANTIDOTE_DATA)", () => {
  test.each(files.map((path) => [basename(path), path]))(
    "%s: agrees with finite differences",
    async (_, path) => {
      const model = await loadModel(path, 1, device);
      const { graph, input } = differentiated(model, ["input"]);
      const run = await compile(graph);
      const { loss: _loss, ...centre } = await run({ input });
      const gradient = centre["gradient of input"]!.data as Float32Array;
      // Along the gradient itself the loss changes most against its rounding.
      const norm = euclidean(gradient);
      const lossAt = async (t: number) => {
        const moved = input.data.map((value, i) => value + (t * gradient[i]!) / norm);
        return (
          (await run({ input: { ...input, data: moved } }))["loss"]!.data as Float32Array
        )[0]!;
      };
      const step = 1e-2;
      const difference = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
      expect(norm).toBeGreaterThan(0);
      // Rounding of the loss over the step, and the kinks between the two points.
      expect(Math.abs(difference / norm - 1)).toBeLessThan(0.02);
    },
  );
});
