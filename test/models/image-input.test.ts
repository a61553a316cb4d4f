import { describe, expect, test } from "vitest";
import type { DataType, Shape } from "../../src/core/tensor.ts";
import { findImageInput } from "../../src/models/image-input.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import type { Graph } from "../../src/onnx/graph.ts";
import { conv, linear, pooled } from "../support/networks.ts";

const ALONE = /Export the classifier alone/;

/** A convolution and a linear layer, for batches of two. */
function network() {
  const b = new GraphBuilder();
  const x = b.input("images", "float32", [2, 3, 8, 8]); // [N,3,8,8]
  b.output("scores", linear(b, pooled(b, conv(b, x, "conv", 6)), 5));
  return b.build();
}

describe("an image input with open axes", () => {
  const open = (...shape: (number | null)[]) => {
    const graph = network();
    return { ...graph, inputs: graph.inputs.map((input) => ({ ...input, shape })) };
  };

  test("may leave every axis open: the first convolution tells the channels", () => {
    const image = { name: "images", layout: "NCHW", height: null, width: null };
    expect(findImageInput(open(null, null, null, null))).toEqual({ ...image, channels: 3 });
    const blind = open(null, null, null, null);
    const nodes = blind.nodes.filter(({ op }) => op !== "Conv");
    expect(() => findImageInput({ ...blind, nodes })).toThrow("1 or 3 channels");
  });

  test("keeps what it says about its channels", () => {
    expect(findImageInput(open(null, null, null, 3))).toMatchObject({ layout: "NHWC" });
  });
});

describe("the image input", () => {
  function withInputs(...inputs: [Shape | (number | null)[], DataType?][]): Graph {
    const graph = network();
    return {
      ...graph,
      inputs: inputs.map(([shape, type = "float32"], i) => ({ name: `input${i}`, type, shape })),
    };
  }

  test("is read in both layouts, with free extents", () => {
    expect(findImageInput(withInputs([[null, 3, 32, 48]]))).toEqual({
      ...{ name: "input0", layout: "NCHW", channels: 3, height: 32, width: 48 },
    });
    expect(findImageInput(withInputs([[null, 32, 48, 3]]))).toEqual({
      ...{ name: "input0", layout: "NHWC", channels: 3, height: 32, width: 48 },
    });
    expect(findImageInput(withInputs([[1, 1, null, null]]))).toMatchObject({
      ...{ layout: "NCHW", channels: 1, height: null, width: null },
    });
  });

  test.each<[string, Graph, RegExp, RegExp]>([
    [
      "two inputs",
      withInputs([[null, 3, 8, 8]], [[null, 4]]),
      /2 inputs \(input0, input1\)/,
      ALONE,
    ],
    ["none", withInputs(), /no input/, ALONE],
    ["bytes", withInputs([[null, 3, 8, 8], "uint8"]), /of type uint8; float32/, /without the Cast/],
    ["a flat input", withInputs([[null, 192]]), /has the shape \[\?, 192\]; .* four axes/, ALONE],
    ["two channels", withInputs([[null, 2, 8, 8]]), /\[\?, 2, 8, 8\]; 1 or 3 channels/, ALONE],
  ])("is refused: %s", (_, graph, message, next) => {
    expect(() => findImageInput(graph)).toThrowError(
      expect.objectContaining({
        code: "MODEL_NOT_A_CLASSIFIER",
        message: expect.stringMatching(message),
        next: expect.stringMatching(next),
      }),
    );
  });
});
