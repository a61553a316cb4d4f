import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { chooseLabels, labelsInMetadata } from "../../src/audit/labels.ts";
import type { OnnxFile } from "../../src/onnx/file.ts";
import { ModelProtoSchema } from "../../src/onnx/proto/generated/onnx_pb.ts";

function file(metadata: Record<string, string>): OnnxFile {
  const metadataProps = Object.entries(metadata).map(([key, value]) => ({ key, value }));
  return { path: "m.onnx", model: create(ModelProtoSchema, { metadataProps }) };
}

const labelsOf = (file: OnnxFile, classes: number) =>
  chooseLabels(labelsInMetadata(file), classes).labels?.names;

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

describe("several lists of class names", () => {
  const list = (source: string, ...names: string[]) => ({ source, names });

  test("the first that fits counts, and the others are compared with it", () => {
    const { labels, warnings } = chooseLabels(
      [list("a", "cat"), list("b", "n02123045 tabby, cat", "dog"), list("c", "cat", "dog")],
      2,
    );
    expect(labels?.source).toBe("b");
    expect(warnings).toEqual(["a names 1 classes, but the model has 2: its names are not used."]);
  });

  test("a list that says otherwise, or leaves a name out, gives a warning", () => {
    const lists = [list("a", "cat", "dog"), list("b", "dog", "cat"), list("c", "cat", "")];
    expect(chooseLabels(lists, 2).warnings).toEqual([
      'b names 2 of 2 classes otherwise than a (class 0: "dog", not "cat"): the latter counts.',
      "c leaves classes without a name: its names are not used.",
    ]);
  });
});
