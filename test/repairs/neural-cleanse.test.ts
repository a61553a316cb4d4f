import { expect, test } from "vitest";
import { Classifier } from "../../src/models/classifier.ts";
import { neuralCleanse } from "../../src/repairs/neural-cleanse.ts";
import { watched } from "../support/contract.ts";
import { testDevice } from "../support/device.ts";
import { noise, plainNet } from "../support/networks.ts";

const device = await testDevice();

test("where no mask works the model stays as it is, and a note says so", async () => {
  const model = await Classifier.fromGraph(plainNet(8), device);
  const { context, events } = watched(device, 0);
  const trusted = noise(Array.from({ length: 20 }, (_, i) => i % 5));
  // A single step moves no mask far enough.
  const config = neuralCleanse.config.parse({ form: "masked", triggerSteps: 1, steps: 7 });
  const found = [];
  for await (const checkpoint of neuralCleanse.run(context, { model, trusted }, config)) {
    found.push(checkpoint);
  }
  expect(found).toEqual([{ step: 7, loss: 0, model }]);
  expect(found[0]!.model.changes.size).toBe(0);
  expect(events.at(-1)).toEqual({
    kind: "note",
    stage: "neural-cleanse",
    message:
      "no trigger works on 99 % of the images (--repair.trigger-steps searches longer): the model stays as it is",
  });
});
