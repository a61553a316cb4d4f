import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { inspect } from "../../src/audit/inspect.ts";
import { openModel } from "../../src/audit/open.ts";
import { auditOptions } from "../../src/audit/options.ts";
import { prepare } from "../../src/audit/prepare.ts";
import { repair } from "../../src/audit/repair.ts";
import { Random } from "../../src/core/random.ts";
import { float32, int64 } from "../../src/core/tensor.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { newModelFile } from "../../src/models/new-file.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { writeOnnxFile } from "../../src/onnx/file.ts";
import { openBatch } from "../../src/onnx/graph.ts";
import { pivotalTuning } from "../../src/repairs/pivotal-tuning.ts";
import { testDevice } from "../support/device.ts";
import { conv, linear, noise, pooled } from "../support/networks.ts";

const device = await testDevice();
const scratch = await mkdtemp(join(tmpdir(), "obstacles-"));
afterAll(() => rm(scratch, { recursive: true }));

/** A network that cuts its images out, in a form of Resize without a gradient. */
async function cropping(): Promise<Classifier> {
  const b = new GraphBuilder();
  const images = b.input("images", "float32", [1, 3, 8, 8]); // [N,3,8,8]
  const box = b.constant(float32([8], [0, 0, 0.1, 0.1, 1, 1, 0.9, 0.9]));
  const scales = b.constant(float32([4], [1, 1, 1, 1]));
  const attributes = { mode: "linear", coordinate_transformation_mode: "tf_crop_and_resize" };
  const cut = b.op("Resize", [images, box, scales], attributes, images);
  b.output("logits", linear(b, pooled(b, b.unary("Relu", conv(b, cut, "conv", 6))), 5));
  return Classifier.fromGraph(openBatch(b.build()), device);
}

test("a model whose form has no gradient is shown as such, and refused before any work", async () => {
  const model = await cropping();
  const path = join(scratch, "cropping.onnx");
  const file = newModelFile(path, model, {});
  await writeOnnxFile(path, file);
  const record = await inspect(await openModel(device, path));
  expect(record.auditable).toBe(false);
  expect(record.blockedBy).toEqual([
    expect.stringMatching(/gradient of Resize node "~Resize\.\d" needs another mapping/),
  ]);

  const events: unknown[] = [];
  const emit = (event: unknown) => events.push(event);
  const context = { device, random: Random.fromSeed(0), signal: undefined, emit };
  const subject = { file, model, trusted: noise([0, 1, 2, 3, 4]) };
  await expect(prepare(context, subject, 0.5)).rejects.toMatchObject({
    code: "MODEL_NOT_DIFFERENTIABLE",
    message: expect.stringContaining("Resize node"),
  });
  expect(events).toEqual([]);
});

test("an operator that only sizes are computed with needs no gradient, one that images meet as well does", async () => {
  const b = new GraphBuilder();
  const images = b.input("images", "float32", [1, 3, 8, 8]); // [N,3,8,8]
  const bounds = [0, 8, 1].map((bound) => b.constant(int64([bound], [])));
  const rows = b.op("Range", bounds, {}, { type: "int64", shape: [8] });
  const flipped = b.op(
    "Gather",
    [images, b.sub(b.constant(int64([7], [])), rows)],
    { axis: 2 },
    images,
  );
  b.output("logits", linear(b, pooled(b, b.sub(conv(b, flipped, "conv", 6), b.scalar(1))), 5));
  const model = await Classifier.fromGraph(openBatch(b.build()), device);
  const path = join(scratch, "range.onnx");
  await writeOnnxFile(path, newModelFile(path, model, {}));
  const record = await inspect(await openModel(device, path));
  const gradients = Object.fromEntries(record.model.operators.map((it) => [it.name, it.gradient]));
  expect(gradients).toMatchObject({ Range: "not-needed", Sub: "yes", Gather: "yes" });
  expect(record.auditable).toBe(true);
});

test("a model whose weights cannot be replaced is refused before any work", async () => {
  const b = new GraphBuilder();
  const images = b.input("images", "float32", [1, 3, 8, 8]); // [N,3,8,8]
  b.output("logits", linear(b, pooled(b, images), 5));
  const model = await Classifier.fromGraph(openBatch(b.build()), device);
  const file = newModelFile(join(scratch, "elsewhere.onnx"), model, {});
  for (const stored of file.model.graph!.initializer) stored.name = `elsewhere::${stored.name}`;

  const events: unknown[] = [];
  const emit = (event: unknown) => events.push(event);
  const context = { device, random: Random.fromSeed(0), signal: undefined, emit };
  const pivotal = { method: pivotalTuning, config: pivotalTuning.config.parse({}) };
  const input = { file, model, trusted: noise([0, 1, 2, 3, 4]), repair: pivotal, seed: 0 };
  await expect(repair(context, input, auditOptions.parse({}))).rejects.toMatchObject({
    code: "MODEL_INVALID",
    place: "fc.weight",
  });
  expect(events).toEqual([]);
});
