import { join } from "node:path";
import { expect, test } from "vitest";
import { assignClasses, readClassNames } from "../../src/data/classes.ts";
import { folderWith } from "./temporary.ts";

const NAMES = ["airplane", "cat", "great white shark"];

test("(a) the --classes file decides, in every form it may have", async () => {
  const folder = await folderWith({
    "labels.txt": "\uFEFFairplane\r\ncat\r\ngreat white shark\r\n",
    "array.json": JSON.stringify(NAMES),
    "byIndex.json": '{"0": "airplane", "2": "great white shark", "1": "cat"}',
    "byName.json": '{"great white shark": 2, "airplane": 0, "cat": 1}',
    "config.json":
      '{"model_type": "vit", "id2label": {"0": "airplane", "1": "cat", "2": "great white shark"}}',
  });
  for (const file of ["labels.txt", "array.json", "byIndex.json", "byName.json", "config.json"]) {
    const assignment = await assignClasses(
      ["Great_White-Shark", "airplane"],
      { classes: join(folder, file), classCount: 3 },
      "images",
    );
    expect(assignment.classNames).toEqual(NAMES);
    expect(assignment.labels).toEqual([2, 0]);
    expect(assignment.rule).toContain(file);
  }
});

test("(a) an index in front of the listed name is as good as the name", async () => {
  const folder = await folderWith({ "labels.txt": "airplane\ncat\navi\u00f3n\n" });
  const classes = join(folder, "labels.txt");
  const found = await assignClasses(["1_cat", "0_Airplane", "2"], { classes }, "images");
  expect(found).toMatchObject({ labels: [1, 0, 2], classNames: ["airplane", "cat", "avi\u00f3n"] });
  await expect(assignClasses(["0_cat", "1_airplane"], { classes }, "images")).rejects.toMatchObject(
    {
      code: "CLASSES_MISMATCH",
      message: `The folder "0_cat" says class 0, which is "airplane" in ${classes}.`,
    },
  );
  // As macOS writes the accent.
  const decomposed = await assignClasses(["avio\u0301n", "cat"], { classes }, "images");
  expect(decomposed.labels).toEqual([2, 1]);
});

test("ImageNet's lists match by identifier or by one synonym", async () => {
  const folder = await folderWith({
    "synset.txt": "n01440764 tench, Tinca tinca\nn02012849 crane\nn03126707 crane\n",
    "class_index.json": '{"0": ["n01440764", "tench"], "1": ["n02012849", "crane"]}',
  });
  const synset = { classes: join(folder, "synset.txt") };
  expect((await assignClasses(["n03126707", "tench"], synset, "i")).labels).toEqual([2, 0]);
  await expect(assignClasses(["crane"], synset, "i")).rejects.toThrow("lines 2 and 3");
  const index = { classes: join(folder, "class_index.json") };
  expect((await assignClasses(["crane", "n01440764"], index, "i")).labels).toEqual([1, 0]);
});

test("(b) an index in front of every name decides before the alphabet", async () => {
  const assignment = await assignClasses(["0_zebra", "10", "03-cat"], { classCount: 11 }, "images");
  expect(assignment.labels).toEqual([0, 10, 3]);
  expect(assignment.classNames[0]).toBe("zebra");
  expect(assignment.classNames[3]).toBe("cat");
  expect(assignment.classNames[10]).toBe("class 10");
  expect(assignment.rule).toContain("index");
  // The model's own names fill in what the folders do not say.
  const filled = await assignClasses(["2", "0_x"], { classNames: NAMES }, "images");
  expect(filled.classNames).toEqual(["x", "cat", "great white shark"]);
});

test("(c) the model's names, if all folders bear them, then (d) the alphabet", async () => {
  const own = { classNames: ["zebra", "cat"], classCount: 2 };
  expect(await assignClasses(["cat", "zebra"], own, "i")).toMatchObject({ labels: [1, 0] });
  const assignment = await assignClasses(["b", "a"], own, "i");
  expect(assignment).toMatchObject({ labels: [1, 0], classNames: ["a", "b"] });
  expect(assignment.rule).toContain("alphabetical");
});

test("a name that two classes bear decides nothing", async () => {
  // As in the configurations of ImageNet models, where crane is a bird and a machine.
  const own = { classNames: ["crane", "tench", "crane"], classNamesFrom: "config.json" };
  const assignment = await assignClasses(["tench"], { ...own, classCount: 1 }, "i");
  expect(assignment.rule).toBe("class names in config.json");
  await expect(assignClasses(["crane", "tench"], own, "i")).rejects.toThrow("2 class folders");
});

test("names that several classes bear are listed, but no folder is matched to them", async () => {
  const folder = await folderWith({
    "labels.txt": "tench\ncrane\nmaillot\nmaillot\ncrane\n",
    "labels.json": '["tench", "crane", "crane"]',
    "numbers.txt": "7\n8\n7\n",
  });
  const assign = (folders: string[], list: string) =>
    assignClasses(folders, { classes: join(folder, list) }, "i");
  expect(await assign(["tench"], "labels.txt")).toMatchObject({ labels: [0] });
  const { labels, classNames } = await assign(["4", "1"], "labels.txt");
  expect(labels).toEqual([4, 1]);
  expect(classNames[4]).toBe("crane");
  await expect(assign(["tench", "crane"], "labels.txt")).rejects.toMatchObject({
    code: "CLASSES_MISMATCH",
    message: expect.stringMatching(
      /^The folder "crane" .* 2 classes: lines 2 and 5 of .*labels\.txt\.$/,
    ),
    next: expect.stringContaining("index alone"),
  });
  await expect(assign(["Crane"], "labels.json")).rejects.toThrow("classes 1 and 2");
  // A name that is a number is no index.
  await expect(assign(["7"], "numbers.txt")).rejects.toThrow("lines 1 and 3");
});

test("what does not match is refused, with the nearest name", async () => {
  const folder = await folderWith({ "labels.txt": NAMES.join("\n") });
  const classes = join(folder, "labels.txt");
  const failing = (folders: string[], rules: Parameters<typeof assignClasses>[1]) =>
    expect(assignClasses(folders, rules, "images")).rejects;
  await failing(["aeroplane"], { classes }).toMatchObject({
    code: "CLASSES_MISMATCH",
    message: expect.stringContaining('nearest is "airplane"'),
    next: expect.stringContaining("--classes"),
  });
  await failing(["cat"], { classes, classCount: 10 }).toThrow("3 classes, but the model has 10");
  await failing(["cat", "Cat"], { classes }).toThrow("both class 1");
  await failing(["1_a", "2_b"], { classCount: 2 }).toThrow("classes 0 to 1");
  await failing(["1_a", "01-b"], {}).toThrow("both class 1");
  await failing(["a", "b", "c"], { classCount: 10 }).toThrow("3 class folders (a, b, c)");
});

test("a file that lists no classes is refused", async () => {
  const files = {
    "gap.json": '{"0": "a", "2": "b"}',
    "twice.json": '{"a": 0, "b": 1, "c": 1}',
    "blank.txt": "a\n\nb\n",
    "empty.txt": "",
    "broken.json": '["a"',
    "other.json": '{"a": "b"}',
    "sparse.json": '{"a": 0, "b": 4000000000}',
  };
  const folder = await folderWith(files);
  for (const name of Object.keys(files)) {
    await expect(readClassNames(join(folder, name)), name).rejects.toMatchObject({
      code: "DATA_INVALID",
    });
  }
  await expect(readClassNames(join(folder, "blank.txt"))).rejects.toThrow("line 2 is empty");
  await expect(readClassNames(join(folder, "none.txt"))).rejects.toMatchObject({
    code: "DATA_NOT_FOUND",
    next: expect.not.stringContaining("images"),
  });
});
