import { expect, test } from "vitest";
import { openClipFolder } from "../../src/audit/clip-folder.ts";
import { zeroShot } from "../../src/audit/zero-shot.ts";
import { silent } from "../../src/core/progress.ts";
import { toNumbers } from "../../src/core/tensor.ts";
import { HEAD } from "../../src/models/clip/classifier.ts";
import { compilePredictor } from "../../src/models/predict.ts";
import { sgd } from "../../src/train/optimisers.ts";
import { compileStep } from "../../src/train/step.ts";
import { trainingStep } from "../../src/train/training-step.ts";
import { failureOf, folderWith } from "../data/temporary.ts";
import { GOLDENS, SMALL, smallFolder } from "../models/clip/small.ts";
import { testDevice } from "../support/device.ts";
import { batch } from "../train/fill.ts";

const device = await testDevice();
const context = { device, emit: silent };
const { classes, templates, head, logits } = GOLDENS.zeroShot;

async function made(names: readonly string[] = classes, sentences = templates) {
  const clip = await openClipFolder(await folderWith(smallFolder()));
  await using _ = clip.weights;
  return await zeroShot(context, clip, names, sentences);
}

/** Relative error that float32 may make over both towers, as in the test of the towers. */
const NEAR = 1e-5;

function worst(found: readonly number[], wanted: readonly number[]): number {
  const scale = Math.max(...wanted.map(Math.abs));
  return Math.max(...wanted.map((value, i) => Math.abs(value - found[i]!))) / scale;
}

test("head and logits are PyTorch's", async () => {
  const { classifier, warnings } = await made();
  expect(warnings).toEqual([]);
  expect(worst(toNumbers(classifier.constant(HEAD)), head.flat())).toBeLessThan(NEAR);
  const { images } = batch(0, 3, 32, 2);
  const predictor = await compilePredictor(device, classifier, 3);
  const found = await predictor.predictBatch(images);
  expect(worst([...found.logits], logits.flat())).toBeLessThan(NEAR);
});

test("an index in front of every name is no part of the texts", async () => {
  const { classifier } = await made(classes.map((name, index) => `${index}_${name}`));
  expect(worst(toNumbers(classifier.constant(HEAD)), head.flat())).toBeLessThan(NEAR);
});

test("it is a classifier whose latent is the image embedding and whose weights are all trained", async () => {
  const { classifier } = await made();
  const { roles, image } = classifier;
  expect(roles).toMatchObject({ head: { op: "Gemm", weight: HEAD }, classes: 4 });
  expect(image).toMatchObject({ channels: 3, height: 32, width: 32 });
  expect((await classifier.at(5)).values.get(roles.latent)?.shape).toEqual([5, SMALL.projection]);
  const parameters = Object.keys(GOLDENS.shapes).filter((name) => /^vis(ion|ual)_/.test(name));
  const trained = [...classifier.weights.keys()].sort();
  expect(trained).toEqual(
    [...parameters, HEAD].filter((name) => !name.endsWith("class_embedding")).sort(),
  );
});

test("it learns like any other: training lowers the loss", async () => {
  const { classifier } = await made();
  const step = await compileStep(device, await trainingStep(classifier, 3, sgd(), 0));
  const losses = [];
  for (let i = 0; i < 6; i++) losses.push((await step.run(batch(0, 3, 32, 4), 0.02)).loss);
  expect(losses.at(-1)).toBeLessThan(0.7 * losses[0]!);
  await step.release();
});

test("names that say nothing are reported, and texts that are too long refused", async () => {
  const { warnings } = await made(["cat", "n01440764"]);
  expect(warnings).toEqual([expect.stringContaining("1 of 2 class names are numbers or ident")]);
  const failing = made(["cat", "x ".repeat(40)]);
  expect(await failureOf(failing)).toMatchObject({
    code: "INVALID_CONFIG",
    message: expect.stringContaining("the model reads 32"),
  });
});
