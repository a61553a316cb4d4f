import { describe, expect, test } from "vitest";
import { float32, int64, tensor } from "../../src/core/tensor.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { importGraph } from "../../src/onnx/import.ts";
import { withPatience } from "../../src/runtime/patience.ts";
import { openDevice } from "../../src/runtime/process-device.ts";
import { graph, model, node, value } from "../onnx/build.ts";

/** A classifier whose shapes come out of a loop that runs 2⁶² times. */
function endless() {
  const body = graph({
    inputs: [value("i", [], "int64"), value("c", [], "bool"), value("s", [2], "int64")],
    outputs: [value("c2", [], "bool"), value("s2", [2], "int64")],
    nodes: [node("Identity", ["c"], ["c2"]), node("Identity", ["s"], ["s2"])],
  });
  return model({
    inputs: [value("x", ["N", 3, 4, 4])],
    outputs: [value("y", ["N", 2])],
    nodes: [
      node("Loop", ["times", "on", "start"], ["shape"], { body }),
      node("Reshape", ["x", "shape"], ["flat"]),
      node("MatMul", ["flat", "weight"], ["y"]),
    ],
    constants: {
      times: tensor("int64", [], BigInt64Array.of(2n ** 62n)),
      on: tensor("bool", [], Uint8Array.of(1)),
      start: int64([-1, 48]),
      weight: float32([48, 2], Array(96).fill(1)),
    },
  });
}

describe("a model that does not end", () => {
  test("is given up, and its device with it", async () => {
    await using device = await openDevice({ name: "cpu", threads: 1 });
    const read = importGraph({ path: "loop.onnx", model: endless() });
    const opened = withPatience(device, 300, "loop.onnx", () => Classifier.fromGraph(read, device));
    await expect(opened).rejects.toMatchObject({ code: "MODEL_INVALID", place: "loop.onnx" });
  });

  test("does not take the errors of others for its own", async () => {
    await using device = await openDevice({ name: "cpu", threads: 1 });
    const failing = withPatience(device, 60_000, "m.onnx", () => Promise.reject(new Error("mine")));
    await expect(failing).rejects.toThrow("mine");
    expect(await withPatience(device, 60_000, "m.onnx", async () => 5)).toBe(5);
  });
});
