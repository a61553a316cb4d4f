import { describe, expect, test } from "vitest";
import { clipTokenizer } from "../../../src/models/clip/tokenizer.ts";
import {
  mergesIn,
  TOKENIZER_FILE,
  VOCAB_FILE,
  type Vocabulary,
} from "../../../src/models/clip/vocabulary.ts";
import { GOLDENS, goldenFile, SMALL } from "./small.ts";

const whole = TOKENIZER_FILE.parse(JSON.parse(goldenFile("folder/tokenizer.json")));
const parts: Vocabulary = {
  pieces: VOCAB_FILE.parse(JSON.parse(goldenFile("folder/vocab.json"))),
  merges: mergesIn(goldenFile("folder/merges.txt")),
};
const size = SMALL.text.vocabulary;

describe.each([
  ["tokenizer.json", whole],
  ["vocab.json and merges.txt", parts],
])("with %s", (_, vocabulary) => {
  const tokenizer = clipTokenizer(vocabulary, size, "clip");

  test.each(GOLDENS.tokens)("$text has the tokens of transformers", ({ text, ids }) => {
    expect(tokenizer.encode(text)).toEqual(ids);
  });
});

test("merges may be pairs or lines", () => {
  const content = JSON.parse(goldenFile("folder/tokenizer.json"));
  content.model.merges = whole.merges.map((pair) => pair.join(" "));
  expect(TOKENIZER_FILE.parse(content)).toEqual(whole);
  expect(parts.merges).toEqual(whole.merges);
  expect(() => mergesIn("#version: 0.2\na b\na b c\n")).toThrow("line 3 is no pair of pieces");
});

test("a text that spells a special token is refused: everything behind it would be lost", () => {
  const tokenizer = clipTokenizer(whole, size, "clip");
  expect(() => tokenizer.encode("photo <|endoftext|> of a cat")).toThrow(
    expect.objectContaining({ code: "INVALID_CONFIG" }),
  );
});

test.each<[string, (pieces: Map<string, number>) => void, string]>([
  ["without an end token", (it) => it.delete("<|endoftext|>"), "it has no <|endoftext|>"],
  ["without a byte", (it) => it.delete("x</w>"), 'it has no "x</w>"'],
  ["without what a merge makes", (it) => it.delete("pho"), "it joins pieces to one that"],
  [
    "with more than the tower knows",
    (it) => it.set("new", size),
    `it has the number ${size}, but the model knows numbers 0 to ${size - 1}`,
  ],
  ["with a number twice", (it) => it.set("new", 3), "two of its pieces have the same number"],
])("a vocabulary %s is refused", (_, change, why) => {
  const pieces = new Map(whole.pieces);
  change(pieces);
  expect(() => clipTokenizer({ pieces, merges: whole.merges }, size, "clip")).toThrow(
    expect.objectContaining({ code: "DATA_INVALID", message: expect.stringContaining(why) }),
  );
});
