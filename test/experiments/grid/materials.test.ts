import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { describeFile } from "../../../src/audit/describe.ts";
import type { PoisonRecord } from "../../../src/audit/poison-record.ts";
import { manifestIn } from "../../../src/audit/poisoned-folder.ts";
import { silent } from "../../../src/core/progress.ts";
import { Random } from "../../../src/core/random.ts";
import { digestOf } from "../../../src/data/digest.ts";
import {
  ascending,
  count,
  type ImageSet,
  imageAt,
  indicesByClass,
  subset,
} from "../../../src/data/images.ts";
import { proceduralImages } from "../../../src/data/procedural.ts";
import { writeClassFolders } from "../../../src/data/write.ts";
import {
  keptModel,
  readImages,
  type Source,
  startOf,
  trustedImages,
} from "../../../src/experiments/grid/materials.ts";
import { Classifier } from "../../../src/models/classifier.ts";
import { newModelFile } from "../../../src/models/new-file.ts";
import { writeOnnxFile } from "../../../src/onnx/file.ts";
import { noDevice } from "../../attacks/no-device.ts";
import { folderWith } from "../../data/temporary.ts";
import { testDevice } from "../../support/device.ts";
import { plainNet } from "../../support/networks.ts";
import { emptyStore, IMAGES } from "./fixtures.ts";

const read = (source: Partial<Source>) =>
  readImages(
    { data: "procedural", judgedOn: 40, size: 8, count: 60, trustedFrom: "training", ...source },
    { emit: silent },
  );

const DRAWN = proceduralImages({ count: 200, size: 8, random: Random.fromSeed(2) });

/** An idx file of unsigned bytes. */
function idx(shape: readonly number[], values: Uint8Array): Uint8Array {
  const header = [0, 0, 8, shape.length, ...shape.flatMap((extent) => [0, 0, 0, extent])];
  return Uint8Array.from([...header, ...values]);
}

/** Image folders with class folders in them: `train` and `test`, of different images. */
async function folders(): Promise<string> {
  const folder = await folderWith({});
  await writeClassFolders(subset(DRAWN, ascending(80)), join(folder, "train"));
  const test = ascending(200).slice(80);
  await writeClassFolders(subset(DRAWN, test), join(folder, "test"));
  return folder;
}

describe("the images of an experiment", () => {
  test("are the same each time", async () => {
    const [one, again] = [await read({}), await read({})];
    expect([count(one.train), count(one.test)]).toEqual([60, 40]);
    expect(again.digests).toEqual(one.digests);
    const [train, test] = [digestOf(one.train), digestOf(one.test)];
    expect(one.digests).toEqual({ train, test, pool: train });
    expect(one.digests.train).not.toBe(one.digests.test);
  });

  test("judge with as many of every class, though folders list them by class", async () => {
    const folder = await folders();
    const source = { data: join(folder, "train"), test: join(folder, "test") };
    const { train, test } = await read({ ...source, judgedOn: 30 });
    expect(count(train)).toBe(80);
    expect(indicesByClass(test).map((group) => group.length)).toEqual(Array(10).fill(3));
    expect((await read({ ...source, judgedOn: 30 })).digests.test).toBe(digestOf(test));
    expect(count((await read({ ...source, judgedOn: 1000 })).test)).toBe(120);
  });

  test("never judge with what a model was trained on", async () => {
    const train = join(await folders(), "train");
    for (const source of [{ data: train }, { data: train, test: train }]) {
      await expect(read(source)).rejects.toMatchObject({
        ...{ code: "INVALID_CONFIG", message: "The test images are the training images." },
        next: "Name other images as `test`.",
      });
    }
  });

  test("are trusted if they are training images, or test images that do not judge", async () => {
    const usual = await read({});
    expect(usual.pool).toBe(usual.train);
    const apart = await read({ trustedFrom: "test" });
    expect(count(apart.test)).toBe(40);
    expect(apart.digests.pool).not.toBe(apart.digests.train);
    const all = (set: ImageSet) => ascending(count(set)).map((i) => imageAt(set, i).join());
    const judging = new Set(all(apart.test));
    const pool = all(apart.pool);
    expect(pool).toHaveLength(60);
    expect(pool.filter((image) => judging.has(image))).toEqual([]);
    const trusted = all(trustedImages(apart, 20, Random.fromSeed(0)));
    expect(trusted.every((image) => pool.includes(image))).toBe(true);
  });

  test("must have the same classes", async () => {
    const folder = await folders();
    await rename(join(folder, "test", "0_circle"), join(folder, "test", "0_disc"));
    await expect(
      read({ data: join(folder, "train"), test: join(folder, "test") }),
    ).rejects.toMatchObject({ code: "CLASSES_MISMATCH", place: join(folder, "test") });
  });

  test("must be of one size", async () => {
    const pair = (side: number, digit: number) => ({
      "images-idx3-ubyte": idx([2, side, side], new Uint8Array(2 * side * side).fill(digit)),
      "labels-idx1-ubyte": idx([2], Uint8Array.of(0, 1)),
    });
    const named = (prefix: string, files: Record<string, Uint8Array>) =>
      Object.entries(files).map(([name, content]) => [`${prefix}-${name}`, content] as const);
    const files = [...named("train", pair(4, 1)), ...named("t10k", pair(5, 2))];
    await expect(read({ data: await folderWith(Object.fromEntries(files)) })).rejects.toMatchObject(
      {
        ...{ code: "DATA_INVALID", message: expect.stringMatching(/1×4×4.* 1×5×5/) },
      },
    );
  });

  test("must be clean", async () => {
    const data = join(await folders(), "train");
    const manifest: PoisonRecord = {
      ...{ schemaVersion: 1, document: "poison", folder: data, seed: 0, duration: 1, marked: [] },
      images: { source: "procedural", count: 80, height: 8, width: 8, classes: DRAWN.classNames },
      poison: {
        ...{ attack: { name: "badnets", options: {} }, surrogate: null, photographs: null },
        ...{ target: 0, samples: 3, boost: 1, embed: "before-augmentation" },
      },
      versions: { antidote: "0", onnxruntime: "0", node: "0" },
      hardware: { cpu: "", cores: 1, platform: "", device: "cpu", threads: 1 },
    };
    await writeFile(manifestIn(data), JSON.stringify(manifest));
    await expect(read({ data })).rejects.toMatchObject({
      ...{ code: "INVALID_CONFIG", message: "The training images are poisoned already." },
    });
  });

  test("may be missing", async () => {
    await expect(read({ data: "/nowhere/at/all" })).rejects.toMatchObject({
      ...{ code: "DATA_NOT_FOUND", place: "/nowhere/at/all" },
    });
  });
});

test("a model that is gone is named, with what to do", async () => {
  const store = await emptyStore();
  const context = { device: noDevice, random: Random.fromSeed(0), emit: silent };
  await expect(keptModel(context, { store }, "0".repeat(20))).rejects.toMatchObject({
    ...{ code: "DATA_INVALID", place: store.modelPath("0".repeat(20)) },
    next: expect.stringContaining("Delete trials/"),
  });
});

describe("trusted images", () => {
  const random = Random.fromSeed(4);

  test("are clean ones of the training set, as many of every class", () => {
    const trusted = trustedImages(IMAGES, 50, random);
    expect(indicesByClass(trusted).map((group) => group.length)).toEqual([10, 10, 10, 10, 10]);
    const known = new Set(
      ascending(count(IMAGES.train)).map(
        (at) => `${IMAGES.train.labels[at]} ${imageAt(IMAGES.train, at).join()}`,
      ),
    );
    for (const at of ascending(50)) {
      expect(known).toContain(`${trusted.labels[at]} ${imageAt(trusted, at).join()}`);
    }
  });

  test("are others for another seed or number, and the same for the same", () => {
    const digest = (r: number, of: Random) => digestOf(trustedImages(IMAGES, r, of));
    expect(digest(50, random)).toBe(digest(50, Random.fromSeed(4)));
    expect(digest(50, random)).not.toBe(digest(50, Random.fromSeed(5)));
  });
});

describe("the start of a training", () => {
  test("is the model of the trial, with its weights, or an error", async () => {
    const device = await testDevice();
    const context = { device, random: Random.fromSeed(0), emit: silent };
    const model = await Classifier.fromGraph(plainNet(8), device);
    const pretrained = join(await folderWith({}), "start.onnx");
    await writeOnnxFile(pretrained, newModelFile(pretrained, model, {}));
    const { sha256 } = await describeFile(pretrained);
    const network = { sha256, preprocessing: "none" };
    const start = await startOf(context, { ...IMAGES, pretrained }, network);
    expect(start.weights).toEqual(model.weights);
    await writeOnnxFile(pretrained, newModelFile(pretrained, model, { other: "yes" }));
    await expect(startOf(context, { ...IMAGES, pretrained }, network)).rejects.toMatchObject({
      ...{ code: "DATA_INVALID", place: pretrained },
    });
  });
});
