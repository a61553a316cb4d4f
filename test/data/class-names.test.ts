import { join } from "node:path";
import { expect, test } from "vitest";
import { classNamesFrom } from "../../src/data/class-names.ts";
import { failureOf, folderWith } from "./temporary.ts";

test("class names come from a list, or from the folders of images", async () => {
  const folder = await folderWith({
    "labels.txt": "cat\ndog\n",
    "labels.json": '{"0": "cat", "1": "dog"}',
    "plain/dog/a.png": "",
    "plain/cat/a.png": "",
    "numbered/1_cat/a.png": "",
    "numbered/0_dog/a.png": "",
  });
  expect(await classNamesFrom(join(folder, "labels.txt"))).toEqual(["cat", "dog"]);
  expect(await classNamesFrom(join(folder, "labels.json"))).toEqual(["cat", "dog"]);
  expect(await classNamesFrom(join(folder, "plain"))).toEqual(["cat", "dog"]);
  expect(await classNamesFrom(join(folder, "numbered"))).toEqual(["dog", "cat"]);
});

test("names that are alike are refused, with their lines", async () => {
  const folder = await folderWith({ "labels.txt": "crane\ncat\ncrane\n" });
  expect(await failureOf(classNamesFrom(join(folder, "labels.txt")))).toMatchObject({
    code: "DATA_INVALID",
    message: expect.stringContaining('the name "crane" (lines 1 and 3)'),
  });
});

test("less than two are refused", async () => {
  const folder = await folderWith({ "one.txt": "cat\n", "images/a.png": "" });
  for (const [name, count] of [
    ["one.txt", 1],
    ["images", 0],
  ]) {
    expect(await failureOf(classNamesFrom(join(folder, `${name}`)))).toMatchObject({
      code: "DATA_INVALID",
      message: expect.stringContaining(`tells ${count} class names`),
    });
  }
});
