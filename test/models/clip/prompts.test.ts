import { join } from "node:path";
import { expect, test } from "vitest";
import {
  isNameless,
  PROMPTS,
  promptsFor,
  readPrompts,
  withoutIndices,
} from "../../../src/models/clip/prompts.ts";
import { failureOf, folderWith } from "../../data/temporary.ts";

test.each([
  ["cat", "cat"],
  ["fire_truck", "fire truck"],
  ["n01440764 tench, Tinca tinca", "tench"],
  ["Photo of a train", "Photo of a train"],
  ["$& costs", "$& costs"],
  ["n01440764_tench", "tench"],
  ["n01440764", "n01440764"],
])("the class %s is called %s", (name, words) => {
  expect(promptsFor(name, ["a {}, one {}."])).toEqual([`a ${words}, one ${words}.`]);
});

test("numbers that count the classes are no part of their names", () => {
  expect(withoutIndices(["0_airplane", "1_fire_truck"])).toEqual(["airplane", "fire_truck"]);
  expect(withoutIndices(["01. cat", "02. 8 ball"])).toEqual(["cat", "8 ball"]);
  for (const own of [
    ["747-400", "748-8"],
    ["3_wheeler", "8_ball"],
    ["0_cat", "dog"],
    ["0", "1"],
    [],
  ]) {
    expect(withoutIndices(own)).toEqual(own);
  }
});

test("numbers and identifiers are no names", () => {
  const names = ["n01440764", "7", "class 12", "n01440764 tench", "cat", "747-400"];
  expect(names.map(isNameless)).toEqual([true, true, true, false, false, false]);
});

test("there are different templates with a place for the class", () => {
  expect(new Set(PROMPTS).size).toBe(PROMPTS.length);
  expect(PROMPTS.every((template) => template.split("{}").length === 2)).toBe(true);
});

test("a file has one template on each line", async () => {
  const folder = await folderWith({
    "good.txt": "\ufeffa {}\r\n\n  the {}  \n",
    "empty.txt": "\n",
    "wrong.txt": "a {}\nthe class\n",
    "many.txt": "a {}\n".repeat(1001),
  });
  expect(await readPrompts(join(folder, "good.txt"))).toEqual(["a {}", "the {}"]);
  for (const [name, why] of [
    ["empty", "holds no template"],
    ["wrong", "has no {} in line 2"],
    ["many", "holds 1001 templates"],
  ]) {
    const failing = readPrompts(join(folder, `${name}.txt`));
    expect(await failureOf(failing)).toMatchObject({
      code: "DATA_INVALID",
      message: expect.stringContaining(why!),
    });
  }
});
