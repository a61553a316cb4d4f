import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { labelColumns, labelledNames, readTable } from "../../src/data/label-table.ts";
import { failureOf, folderWith } from "./temporary.ts";

/** What a table with this name and content says, as [file, label] pairs. */
async function said(content: string, name = "labels.csv") {
  const path = join(await folderWith({ [name]: content }), name);
  const rows = await readTable(path);
  const columns = labelColumns(rows, path);
  return columns && labelledNames(rows, columns, path).map(({ file, label }) => [file, label]);
}

const PAIRS = [
  ["a.png", "cat"],
  ["b.png", "dog"],
];

describe("tables of labels", () => {
  test.each([
    ["commas", "file_name,label\na.png,cat\nb.png,dog\n"],
    ["semicolons, and a mark of byte order", "\uFEFFfilename;class\r\na.png;cat\r\nb.png;dog\r\n"],
    ["tabs", "Image Path\tClass Name\na.png\tcat\nb.png\tdog"],
    [
      "quotes, spaces, columns between and empty lines",
      '"file_name" , size,"label"\n"a.png",1,cat\n\nb.png,2," dog "\n',
    ],
  ])("with %s", async (_, content) => {
    expect(await said(content)).toEqual(PAIRS);
  });

  test("names with the separator in quotes, and backslashes", async () => {
    expect(await said('path,label\n"x\\a,1.png","tench, Tinca tinca"\n')).toEqual([
      ["x/a,1.png", "tench, Tinca tinca"],
    ]);
  });

  test("JSON Lines, with labels as names or numbers", async () => {
    const lines =
      '{"file_name": "a.png", "label": "cat", "boxes": []}\n\n{"file_name": "b.png", "label": "dog"}\n';
    expect(await said(lines, "metadata.jsonl")).toEqual(PAIRS);
    expect(await said('{"file_name": "a.png", "label": 3}', "metadata.jsonl")).toEqual([
      ["a.png", "3"],
    ]);
  });

  test("the header decides: of an index and a name for the same, the name", async () => {
    expect(await said("id,label,class_name\na.png,0,cat\nb.png,1,dog\n")).toEqual(PAIRS);
    expect(await said("file_name,caption\na.png,a cat\n")).toBeUndefined();
    expect(await said("a.png,cat\nb.png,dog\n")).toBeUndefined();
  });

  test.each([
    [
      "two columns that differ",
      "file,label,target\na.png,0,cat\nb.png,0,dog\n",
      '"label" and in "target"',
    ],
    ["no label", "file_name,label\na.png,cat\nb.png,\n", "no label in line 3"],
    [
      "a file twice",
      "file_name,label\na.png,cat\nb.png,dog\na.png,dog\n",
      '"a.png" twice, in line 2 and in line 4',
    ],
    ["a row too short", "file_name,label\na.png\n", "is no CSV"],
    ["an open quote", 'file_name,label\n"a.png,cat\n', "is no CSV"],
    ["nothing", "", "has no rows"],
    ["a header alone", "file_name,label\n", "has no rows"],
  ])("%s is refused by its line", async (_, content, what) => {
    expect(await failureOf(said(content))).toMatchObject({
      code: "DATA_INVALID",
      message: expect.stringContaining(what),
      place: expect.stringContaining("labels.csv"),
    });
  });

  test("damaged JSON Lines are refused by their line", async () => {
    const failing = (content: string) => failureOf(said(content, "metadata.jsonl"));
    expect(await failing('{"file_name": "a", "label": "b"}\n{')).toMatchObject({
      message: expect.stringContaining("no JSON in line 2"),
    });
    expect(await failing("[1]")).toMatchObject({
      message: expect.stringContaining("no object in line 1"),
    });
  });

  test("a name like a property of every object is a name", async () => {
    const lines = '{"file_name": "__proto__", "label": "constructor"}';
    expect(await said(lines, "metadata.jsonl")).toEqual([["__proto__", "constructor"]]);
    expect(await said("__proto__,file_name,label\nx,a.png,cat\n")).toEqual([["a.png", "cat"]]);
  });
});
