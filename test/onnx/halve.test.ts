import { describe, expect, it } from "vitest";
import { float32 } from "../../src/core/tensor.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { newModelFile } from "../../src/models/new-file.ts";
import { exportModel } from "../../src/onnx/export.ts";
import { importGraph } from "../../src/onnx/import.ts";
import { testDevice } from "../support/device.ts";
import { plainNet } from "../support/networks.ts";

const device = await testDevice();
const model = await Classifier.fromGraph(plainNet(8), device);

describe("a model that stores its weights in half precision", () => {
  const file = newModelFile("half.onnx", model, {}, "float16");

  it("has the same weights, rounded to 11 bits, and they can be trained", async () => {
    const read = await Classifier.fromGraph(importGraph(file), device);
    expect([...read.weights.keys()]).toEqual([...model.weights.keys()]);
    let rounded = 0;
    for (const [name, { data }] of read.weights) {
      const before = model.constant(name).data as Float32Array;
      (data as Float32Array).forEach((value, at) => {
        expect(Math.abs(value - before[at]!)).toBeLessThanOrEqual(2 ** -11 * Math.abs(before[at]!));
        if (value !== before[at]) rounded++;
      });
    }
    expect(rounded).toBeGreaterThan(0);
  });

  it("takes other weights, in half precision again", async () => {
    const bias = float32([5], [1, 2, 3, 4, 5]);
    const changed = exportModel(file, new Map([["fc.bias", bias]]), {});
    expect(importGraph(changed).constants.get("fc.bias")).toEqual(bias);
    expect(importGraph(file).constants.get("fc.bias")).not.toEqual(bias);
  });

  it("leaves a weight alone that something else reads, too", async () => {
    const shared = newModelFile("half.onnx", model, {}, "float16");
    const cast = shared.model.graph!.node.find(({ output }) => output[0] === "fc.bias")!;
    shared.model.graph!.node.unshift({ ...cast, name: "again", output: ["fc.bias/again"] });
    expect(importGraph(shared).constants.has("fc.bias")).toBe(false);
    expect(() =>
      exportModel(shared, new Map([["fc.bias", float32([5], [1, 2, 3, 4, 5])]]), {}),
    ).toThrow(/not stored/);
  });
});
