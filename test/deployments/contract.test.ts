import { describe, expect, test } from "vitest";
import { type FloatTensor, float32, sizeOf } from "../../src/core/tensor.ts";
import { count, subset } from "../../src/data/images.ts";
import { type Deployment, REFUSED } from "../../src/deployments/deployment.ts";
import { DEPLOYMENTS } from "../../src/deployments/index.ts";
import { undefended } from "../../src/deployments/undefended.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { predict, type Stamp } from "../../src/models/predict.ts";
import {
  expectDescribed,
  expectProgress,
  expectRegistryIsFolder,
  sameBits,
  watched,
} from "../support/contract.ts";
import { testDevice } from "../support/device.ts";
import { noise } from "../support/networks.ts";
import { recording } from "../support/recording.ts";
import { tinyNet } from "../train/tiny.ts";

const TRUSTED = noise(Array.from({ length: 60 }, (_, i) => i % 5));
const INPUTS = noise(
  Array.from({ length: 130 }, (_, i) => i % 5),
  { seed: 8 },
);
/** Black images, all of one class then. */
const blackened: Stamp = ({ shape }) => float32(shape, new Float32Array(sizeOf(shape)));

/** Short, with some inputs refused and some not. */
const OWN: Readonly<Record<string, object>> = {
  strip: { copies: 8, falseRejection: 0.3, boundary: "empirical" },
};

const device = await testDevice();
const model = await Classifier.fromGraph(tinyNet(8), device);
const input = { model, trusted: TRUSTED };
const { classes } = await predict(device, model, INPUTS);

test("the registry of deployments lists every deployment file under its own name", () => {
  expectRegistryIsFolder("deployments", DEPLOYMENTS, [
    ...["boundary.ts", "deployment.ts", "index.ts", "superimposed.ts", "undefended.ts"],
  ]);
});

describe.each(Object.values(DEPLOYMENTS) as Deployment[])("$name", (deployment) => {
  const config = deployment.config.parse(OWN[deployment.name] ?? {});

  test("has a schema that refuses unknown options and describes every option", () => {
    expectDescribed(deployment.config);
  });

  test("answers as the model does, or refuses", async () => {
    const { context, events } = watched(device, 0);
    const deployed = await deployment.run(context, input, config);
    expectProgress(events);
    const done: number[] = [];
    const answers = await deployed.predict(INPUTS, { progress: (images) => done.push(images) });
    await deployed.release();
    expect(answers).toHaveLength(count(INPUTS));
    const refused = answers.filter((answer) => answer === REFUSED).length;
    expect(refused).toBeGreaterThan(0);
    expect(refused).toBeLessThan(count(INPUTS));
    for (const [at, answer] of answers.entries()) {
      if (answer !== REFUSED) expect(answer).toBe(classes[at]);
    }
    expect(done).toEqual(done.toSorted((a, b) => a - b));
    expect(done.at(-1)).toBe(count(INPUTS));
  });

  test("sees images as they are stamped", async () => {
    const deployed = await deployment.run(watched(device, 0).context, input, config);
    const plain = await deployed.predict(INPUTS);
    const stamped = await deployed.predict(INPUTS, { stamp: blackened });
    await deployed.release();
    const black = await predict(device, model, INPUTS, { stamp: blackened });
    expect(stamped).not.toEqual(plain);
    for (const [at, answer] of stamped.entries()) {
      if (answer !== REFUSED) expect(answer).toBe(black.classes[at]);
    }
  });

  test("gives the same answers for the same seed, in whatever order it is asked", async () => {
    const one = await deployment.run(watched(device, 2).context, input, config);
    const same = await deployment.run(watched(device, 2).context, input, config);
    const answers = await one.predict(INPUTS);
    const few = subset(INPUTS, [0, 1, 2, 3]);
    expect(await same.predict(few)).toEqual(answers.slice(0, 4));
    expect(await same.predict(INPUTS)).toEqual(answers);
    await one.release();
    await same.release();
  });

  test("leaves model and images as they are", async () => {
    const before = structuredClone([TRUSTED.images, INPUTS.images]);
    const weights = new Map([...model.weights].map(([k, v]) => [k, structuredClone(v)]));
    const deployed = await deployment.run(watched(device, 0).context, input, config);
    await deployed.predict(INPUTS);
    await deployed.release();
    expect([TRUSTED.images, INPUTS.images]).toEqual(before);
    expect(sameBits(model.weights, weights)).toBe(true);
  });

  test("says that it needs trusted images, and leaves no program behind", async () => {
    const record = recording(device);
    const few = { model, trusted: subset(TRUSTED, [0]) };
    await expect(deployment.run(watched(record, 0).context, few, config)).rejects.toMatchObject({
      ...{ code: "TOO_FEW_IMAGES", place: "trusted", next: expect.stringContaining("trusted") },
    });
    expect(record.open).toBe(0);
  });

  test("stops on request, made ready or answering; released, it leaves no program behind", async () => {
    const stopped = recording(device);
    const { context } = watched(stopped, 0, true);
    await expect(deployment.run(context, input, config)).rejects.toMatchObject({
      code: "CANCELLED",
    });
    expect(stopped.compiled).toBe(1);
    expect(stopped.open).toBe(0);
    const record = recording(device);
    const deployed = await deployment.run(watched(record, 0).context, input, config);
    expect(record.compiled).toBe(1);
    const controller = new AbortController();
    const asked = deployed.predict(INPUTS, {
      signal: controller.signal,
      progress: () => controller.abort(),
    });
    await expect(asked).rejects.toMatchObject({ code: "CANCELLED" });
    await deployed.release();
    expect(record.open).toBe(0);
  });
});

test("undefended, a model answers everything", async () => {
  const record = recording(device);
  const deployed = await undefended({ device: record }, model);
  expect(await deployed.predict(INPUTS)).toEqual(classes);
  const black = await predict(device, model, INPUTS, { stamp: blackened });
  expect(await deployed.predict(INPUTS, { stamp: blackened })).toEqual(black.classes);
  await deployed.release();
  expect(record.open).toBe(0);
});

test("STRIP warns where its boundary refuses nothing", async () => {
  const { context, events } = watched(device, 0);
  const { strip } = DEPLOYMENTS;
  // An unlikely quantile of entropies that differ much.
  const options = strip.config.parse({ copies: 1, falseRejection: 1e-6 });
  const weight = model.weights.get("fc.weight") as FloatTensor;
  const louder = float32(
    weight.shape,
    weight.data.map((value) => 50 * value),
  );
  const sure = model.withWeights(new Map([["fc.weight", louder]]));
  const deployed = await strip.run(context, { model: sure, trusted: TRUSTED }, options);
  const answers = await deployed.predict(INPUTS);
  await deployed.release();
  expect(answers).not.toContain(REFUSED);
  expect(events.at(-1)).toMatchObject({
    ...{ kind: "warning", stage: "strip", message: expect.stringContaining("nothing will be") },
  });
});
