import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { labelsOf } from "../../src/audit/labels.ts";
import type { OnnxFile } from "../../src/onnx/file.ts";
import { ModelProtoSchema } from "../../src/onnx/proto/generated/onnx_pb.ts";

function file(metadata: Record<string, string>): OnnxFile {
  const metadataProps = Object.entries(metadata).map(([key, value]) => ({ key, value }));
  return { path: "m.onnx", model: create(ModelProtoSchema, { metadataProps }) };
}

describe("class names in a model file", () => {
  test.each([
    ["JSON", '["cat", "dog"]'],
    ["a map", '{"1": "dog", "0": "cat"}'],
    ["Python's notation, as Ultralytics writes it", "{0: 'cat', 1: 'dog'}"],
    ["a list with commas", "cat, dog"],
  ])("are read as %s", (_, names) => {
    expect(labelsOf(file({ names }), 2)).toEqual(["cat", "dog"]);
  });

  test("are looked for under several keys", () => {
    expect(labelsOf(file({ stride: "32", id2label: '{"0": "a", "1": "b"}' }), 2)).toEqual([
      "a",
      "b",
    ]);
  });

  test.each([
    ["another number of them", '["cat", "dog", "frog"]'],
    ["an index without a name", '{"0": "cat", "2": "dog"}'],
    ["text that is no list", "{{{"],
    ["nothing", ""],
  ])("are not taken from %s", (_, names) => {
    expect(labelsOf(file({ names }), 2)).toBeUndefined();
  });
});
