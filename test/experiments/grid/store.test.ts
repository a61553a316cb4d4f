import { existsSync } from "node:fs";
import { readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ResultStore } from "../../../src/experiments/grid/store.ts";
import { keyOf } from "../../../src/experiments/grid/trial.ts";
import { folderWith } from "../../data/temporary.ts";
import { CLEAN, DETECTION, emptyStore, MODEL, REPAIR, recordOf } from "./fixtures.ts";

const KEY = keyOf(MODEL);
const FAILURE = { key: KEY, code: "DIVERGED", message: "The loss is NaN.", next: null } as const;

describe("a result store", () => {
  test("keeps records, and lists their keys", async () => {
    const store = await emptyStore();
    const records = [MODEL, REPAIR, DETECTION].map((config) => recordOf(config));
    for (const record of records) {
      expect(store.has(record.key)).toBe(false);
      await store.add(record);
      expect(store.has(record.key)).toBe(true);
      expect(await store.read(record.key)).toEqual(record);
    }
    expect(await store.keys()).toEqual(records.map(({ key }) => key).sort());
    expect(ResultStore.existing(store.folder).has(KEY)).toBe(true);
  });

  test("says where there is none, and which trial is not there", async () => {
    const folder = await folderWith({});
    expect(() => ResultStore.existing(folder)).toThrow(
      expect.objectContaining({ code: "DATA_NOT_FOUND", place: folder }),
    );
    await expect((await emptyStore()).read(KEY)).rejects.toMatchObject({ code: "DATA_NOT_FOUND" });
  });

  test("does not take a file for a record that was never finished", async () => {
    const store = await emptyStore();
    await writeFile(join(store.folder, "trials", `${KEY}.json.123-abcdef01.part`), "{");
    await writeFile(join(store.folder, "trials", "notes.json"), "{}");
    expect(await store.keys()).toEqual([]);
    expect(store.has(KEY)).toBe(false);
  });

  test.each([
    ["half of it", "no JSON", (text: string) => text.slice(0, text.length / 2)],
    ["a new field", "At its top:", (text: string) => text.replace('"key"', '"more": 1, "key"')],
    ["a share above 1", ".value:", (text: string) => text.replace('"value": 0.9', '"value": 9')],
    ["the record of another trial", "", () => JSON.stringify(recordOf(CLEAN))],
    ["a model elsewhere", "At model:", (t: string) => t.replace(/models\/\w+/, "../elsewhere")],
  ])("says which record is damaged, and where: %s", async (_, reason, damage) => {
    const store = await emptyStore();
    await store.add(recordOf(MODEL));
    const path = join(store.folder, "trials", `${KEY}.json`);
    const damaged = damage(await readFile(path, "utf8"));
    expect(damaged).not.toBe(await readFile(path, "utf8"));
    await writeFile(path, damaged);
    await expect(store.read(KEY)).rejects.toMatchObject({
      ...{ code: "DATA_INVALID", place: path, message: expect.stringContaining(reason) },
      next: expect.stringContaining("Delete the file and run the experiment again"),
    });
  });

  test("takes no record that it could not read again", async () => {
    const store = await emptyStore();
    const record = recordOf(DETECTION);
    const outcome = { ...record.outcome, score: Number.NaN } as typeof record.outcome;
    await expect(store.add({ ...record, outcome })).rejects.toMatchObject({ code: "INTERNAL" });
    expect(await store.keys()).toEqual([]);
  });

  test("forgets a failure, and what a trial would continue from, once the trial is done", async () => {
    const store = await emptyStore();
    await store.addFailure(FAILURE);
    const work = await store.workFolder(KEY);
    await writeFile(join(work, "training.safetensors"), "");
    expect(await store.failedKeys()).toEqual([KEY]);
    expect(await store.failure(KEY)).toEqual(FAILURE);
    await store.add(recordOf(MODEL));
    expect(await store.failedKeys()).toEqual([]);
    expect(existsSync(work)).toBe(false);
    // Killed after the record was there, before the failure was gone; or another process failed at it later.
    await store.addFailure(FAILURE);
    expect(await store.failedKeys()).toEqual([]);
  });

  test("says which failure is damaged", async () => {
    const store = await emptyStore();
    await store.addFailure(FAILURE);
    const path = join(store.folder, "failed", `${KEY}.json`);
    await writeFile(path, '{"key"');
    await expect(store.failure(KEY)).rejects.toMatchObject({ code: "DATA_INVALID", place: path });
  });

  test("clears away what killed processes have left, but nothing that may be under way", async () => {
    const store = await emptyStore();
    const { folder } = store;
    await store.add(recordOf(MODEL));
    // Killed between the record and its work folder.
    await writeFile(join(await store.workFolder(KEY), "training.safetensors"), "");
    const under = join(await store.workFolder(keyOf(CLEAN)), "training.safetensors");
    const files = {
      fresh: join(folder, "models", `${KEY}.onnx.7-00000000.part`),
      old: join(folder, "models", `${KEY}.onnx.8-00000000.part`),
      nested: `${under}.9-00000000.part`,
      whole: under,
      // Whoever names a folder of their own as the store.
      foreign: join(folder, "models", "weights.onnx.part"),
      elsewhere: join(folder, "downloads.8-00000000.part"),
    };
    for (const path of Object.values(files)) await writeFile(path, "half");
    const hoursAgo = Date.now() / 1000 - 2 * 3600;
    const { fresh: _, ...aged } = files;
    for (const path of Object.values(aged)) await utimes(path, hoursAgo, hoursAgo);
    await ResultStore.open(folder);
    expect(existsSync(files.fresh)).toBe(true);
    expect(existsSync(files.old)).toBe(false);
    expect(existsSync(files.nested)).toBe(false);
    expect(existsSync(files.whole)).toBe(true);
    expect(existsSync(files.foreign)).toBe(true);
    expect(existsSync(files.elsewhere)).toBe(true);
    expect(await readdir(join(folder, "work"))).toEqual([keyOf(CLEAN)]);
    expect(store.has(KEY)).toBe(true);
  });

  test("cannot be made where a file is", async () => {
    const folder = await folderWith({ store: "" });
    await expect(ResultStore.open(join(folder, "store"))).rejects.toMatchObject({
      code: "OUTPUT_NOT_WRITABLE",
    });
  });
});
