import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { classesInNames } from "../../src/data/label-names.ts";
import { failureOf, folderWith } from "./temporary.ts";

const read = (files: string[], rules: Parameters<typeof classesInNames>[1] = {}) =>
  classesInNames(files, rules, "images");
const refused = async (files: string[], rules: Parameters<typeof classesInNames>[1] = {}) =>
  (await failureOf(read(files, rules))) as Error & { code: string; next: string };

const NAMES = ["airplane", "cat", "great white shark"];
const SYNSETS = ["n01440764 tench, Tinca tinca", "n02012849 crane", "n03126707 crane"];

describe("class names that are known", () => {
  test.each([
    [
      "after a number",
      ["0003_cat.png", "17-great_white_shark.png", "0001 airplane.png"],
      [1, 2, 0],
    ],
    [
      "before a number",
      ["cat_0003.png", "great-white-shark.17.jpg", "airplane (1).png"],
      [1, 2, 0],
    ],
    ["alone", ["cat.png", "Great_White_Shark.jpeg", "airplane.webp"], [1, 2, 0]],
  ])("stand %s", async (_, files, labels) => {
    const found = await read(files, {
      classNames: NAMES,
      classCount: 3,
      classNamesFrom: "config.json",
    });
    expect(found).toMatchObject({ labels, classNames: NAMES });
    expect(found.rule).toBe("class names in config.json, found in the file names");
  });

  test("are told by ImageNet's identifiers, wherever those stand", async () => {
    const files = [
      "n03126707_crane.JPEG",
      "ILSVRC2012_val_00000293_n01440764.JPEG",
      "n02012849_10026.JPEG",
    ];
    expect((await read(files, { classNames: SYNSETS })).labels).toEqual([2, 0, 1]);
    const folder = await folderWith({ "synset.txt": SYNSETS.join("\n") });
    const classes = join(folder, "synset.txt");
    expect((await read(files, { classes, classCount: 3 })).rule).toContain("synset.txt, found in");
    expect(await refused(files, { classes, classCount: 9 })).toMatchObject({
      code: "CLASSES_MISMATCH",
    });
  });

  test("are not guessed: a synonym of two classes decides nothing, and everything tried is listed", async () => {
    const error = await refused(["crane_1.png", "tench_1.png"], { classNames: SYNSETS });
    expect(error.code).toBe("DATA_INVALID");
    expect(error.message).toContain('"crane_1.png" bears none, or several');
    expect(error.message).toContain("there are 2, but the model has 3 classes");
    expect(error.next).toContain("labels.csv");
  });

  test("of several classes restrict what a number may mean", async () => {
    const names = ["tench", "crane", "crane", "dog"];
    const files = (index: number) => [
      "0_tench_1.png",
      `${index}_crane_1.png`,
      `${index}_crane_2.png`,
    ];
    expect((await read(files(2), { classNames: names })).labels).toEqual([0, 2, 2]);
    const error = await refused(files(3), { classNames: names });
    expect(error.message).toContain("contradicts names that are known");
  });
});

describe("a number in front", () => {
  test("is an index where files of one class share it", async () => {
    const files = ["2_cat_01.png", "2_cat_02.png", "0_zebra_01.png", "0_zebra_02.png"];
    expect(await read(files, { classCount: 4 })).toEqual({
      labels: [2, 2, 0, 0],
      classNames: ["zebra", "class 1", "cat", "class 3"],
      rule: "index in front of the file names",
    });
  });

  test("is none where it counts images: the alphabet tells the classes, if none is missing", async () => {
    const files = ["0_cat.png", "1_cat.png", "2_ant.png", "3_ant.png"];
    expect(await read(files, { classCount: 2 })).toMatchObject({
      labels: [1, 1, 0, 0],
      classNames: ["ant", "cat"],
      rule: "alphabetical order of the names in the file names",
    });
  });

  test("of one image a class may be either, so another way must agree", async () => {
    expect((await read(["0_ant.png", "1_cat.png"], { classCount: 2 })).labels).toEqual([0, 1]);
    const error = await refused(["0_cat.png", "1_ant.png"], { classCount: 2 });
    expect(error.message).toContain("index in front of the file names: possible, but another way");
    const some = await refused(["0_ant.png", "3_cat.png"], { classCount: 9 });
    expect(some.message).toContain("it may as well count the images");
  });

  test("agrees with the order of ImageNet's identifiers", async () => {
    const files = ["0_n01440764_tench.jpg", "1_n02012849_crane.jpg", "2_n03126707_crane.jpg"];
    expect(await read(files, { classCount: 3 })).toMatchObject({
      labels: [0, 1, 2],
      classNames: ["n01440764 tench", "n02012849 crane", "n03126707 crane"],
    });
    // Names that are known must not contradict it; a doubtful one among many is settled by it.
    const own = ["tench", "crane", "crane"];
    const found = await read([...files, "0_n01440764_tench (2).jpg"], { classNames: own });
    expect(found).toMatchObject({ labels: [0, 1, 2, 0], classNames: own });
    const error = await refused(files, { classNames: ["crane", "crane", "tench"] });
    expect(error.message).toContain("contradicts names that are known");
  });

  test("and names say nothing where each file has its own, unless the model has as many classes", async () => {
    const files = ["ant.png", "cat.png", "bee.png"];
    expect((await refused(files)).message).toContain("most stand in one file only");
    expect((await read(files, { classCount: 3 })).labels).toEqual([0, 2, 1]);
    expect(
      (await read([...files, ...files.map((name) => name.replace(".", "_2."))])).labels,
    ).toHaveLength(6);
  });

  test("alone says nothing", async () => {
    for (const files of [
      ["0001.png", "0002.png"],
      ["7_0001.png", "7_0002.png"],
      ["IMG_1.jpg", "7.jpg"],
    ]) {
      expect((await refused(files, { classCount: 2 })).message).toContain(
        "do not tell their classes",
      );
    }
    expect((await refused(["99999999999_a.png", "0_b.png"])).message).toContain(
      "99999999999 is more than the last class",
    );
  });
});
