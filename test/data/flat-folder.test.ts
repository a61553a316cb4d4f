import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import type { Progress } from "../../src/core/progress.ts";
import { type FolderOptions, imageFolder } from "../../src/data/folder.ts";
import { failureOf, folderWith } from "./temporary.ts";

const SIZE = { channels: 3, height: 2, width: 2 };
const PNG = await sharp({ create: { width: 2, height: 2, channels: 3, background: "#ffffff" } })
  .png()
  .toBuffer();

async function open(files: Record<string, Buffer | string>, rules: Partial<FolderOptions> = {}) {
  const events: Progress[] = [];
  const folder = await folderWith(files);
  const set = await imageFolder(folder, { ...SIZE, emit: (event) => events.push(event), ...rules });
  const warnings = events.flatMap((it) => (it.kind === "warning" ? [it.message] : []));
  return { ...set, labels: [...set.labels], warnings };
}

const THREE = { "a.png": PNG, "b.png": PNG, "c.png": PNG };

describe("images in one folder, with a table", () => {
  test("of names: in the alphabet, or as the model names them", async () => {
    const table = "file_name,label\na.png,cat\nb.png,ant\nc.png,cat\n";
    const files = { ...THREE, "labels.csv": table };
    const set = await open(files, { classCount: 2 });
    expect(set.names).toEqual(["a.png", "b.png", "c.png"]);
    expect(set).toMatchObject({ labels: [1, 0, 1], classNames: ["ant", "cat"], warnings: [] });
    expect(set.origin?.classOrder).toBe(
      "labels.csv (label), alphabetical order of the label names",
    );
    const own = await open(files, { classNames: ["cat", "ant"], classCount: 2 });
    expect(own.labels).toEqual([0, 1, 0]);
  });

  test("of indices: with the model's names, or with those of --classes", async () => {
    const folder = await folderWith({ "names.txt": "x\ny\nz\n" });
    const files = {
      ...THREE,
      "metadata.jsonl":
        '{"file_name":"a.png","label":2}\n{"file_name":"b.png","label":0}\n{"file_name":"c.png","label":0}',
    };
    const classes = join(folder, "names.txt");
    for (const rules of [{ classNames: ["x", "y", "z"] }, { classes, classCount: 3 }]) {
      expect(await open(files, rules)).toMatchObject({
        labels: [2, 0, 0],
        classNames: ["x", "y", "z"],
      });
    }
    expect(await failureOf(open(files, { classCount: 2 }))).toMatchObject({
      code: "CLASSES_MISMATCH",
      message: expect.stringContaining('label "2" has index 2'),
    });
  });

  test("beside the folder, without endings, with the folder's name, or with images below", async () => {
    const elsewhere = await folderWith({ "train.csv": "id,label\na,1\nb,0\nsub/c,1\ngone,0\n" });
    const files = { "a.png": PNG, "b.jpg": PNG, "sub/c.png": PNG, "d.png": PNG };
    const set = await open(files, { labels: join(elsewhere, "train.csv") });
    expect(set.names).toEqual(["a.png", "b.jpg", "sub/c.png"]);
    expect(set.labels).toEqual([1, 0, 1]);
    expect(set.warnings).toEqual([
      "train.csv: 1 of its rows name no image in the folder, 1 images in the folder have no row; they are left out.",
    ]);
  });

  test("of any name, if nothing else says classes", async () => {
    const table = "file_name,label\na.png,0\nb.png,1\nc.png,1\n";
    expect((await open({ ...THREE, "annotations.csv": table })).labels).toEqual([0, 1, 1]);
    expect(await failureOf(open({ ...THREE, "x.csv": table, "y.csv": table }))).toMatchObject({
      code: "DATA_INVALID",
      next: expect.stringContaining("--labels"),
    });
  });

  test("class folders stay what they are beside a table of other things", async () => {
    const folders = { "0_a/x.png": PNG, "1_b/y.png": PNG };
    const boxes = { "metadata.csv": "file_name,box\n0_a/x.png,1\n", "notes.csv": "a,b\n1,2\n" };
    expect((await open({ ...folders, ...boxes })).labels).toEqual([0, 1]);
    const labels = { "metadata.csv": "file_name,label\n0_a/x.png,1\n1_b/y.png,0\n" };
    expect((await open({ ...folders, ...labels })).labels).toEqual([1, 0]);
  });

  test.each([
    ["a path out of the folder", "file_name,label\n../a.png,0\n", "not a path inside the folder"],
    ["one that comes back", "file_name,label\nx/../../y/a.png,0\n", "not a path inside the folder"],
    ["an absolute path", "file_name,label\n/etc/passwd,0\n", "not a path inside the folder"],
    ["a drive", "file_name,label\nC:\\a.png,0\n", "not a path inside the folder"],
    [
      "one image under two names",
      "file_name,label\na.png,0\n./a.png,1\n",
      '"a.png" twice, in line 2 and in line 3',
    ],
    ["no image at all", "file_name,label\nx.png,0\n", "names none of the images"],
    ["other columns", "file_name,caption\na.png,hello\n", "its header is: file_name, caption"],
  ])("%s is refused", async (_, table, what) => {
    expect(await failureOf(open({ ...THREE, "labels.csv": table }))).toMatchObject({
      code: "DATA_INVALID",
      message: expect.stringContaining(what),
      place: expect.stringContaining("labels.csv"),
    });
  });
});

describe("images in one folder, without a table", () => {
  test("are told by their names, or refused with what was tried", async () => {
    const set = await open({ "cat_1.png": PNG, "ant_1.png": PNG }, { classCount: 2 });
    expect(set).toMatchObject({ labels: [0, 1], classNames: ["ant", "cat"] });
    expect(await failureOf(open(THREE, { classCount: 2 }))).toMatchObject({
      code: "DATA_INVALID",
      message: expect.stringContaining("Tried: index in front of the file names: "),
    });
  });
});

const { ANTIDOTE_DATA: data } = process.env;

test.skipIf(data === undefined)(
  "one real image of each ImageNet class (set ANTIDOTE_DATA)",
  async () => {
    const folder = join(data!, "imagenet-1000");
    const set = await imageFolder(folder, { channels: 3, height: 8, width: 8, classCount: 1000 });
    expect([...set.labels]).toEqual(Array.from({ length: 1000 }, (_, index) => index));
    expect(set.classNames[134]).toBe("n02012849 crane");
    expect(set.origin?.classOrder).toBe("index in front of the file names");
  },
);
