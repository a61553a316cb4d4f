import { mkdir, realpath, symlink } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { realPathInside } from "../../src/core/inside.ts";
import { folderWith } from "../data/temporary.ts";

/** A folder without links in its own path. */
const realFolder = async (files: Record<string, string>) => realpath(await folderWith(files));

test("files inside are found, through links that stay inside", async () => {
  const folder = await realFolder({ "a.txt": "a", "deep/b.txt": "b" });
  await symlink("../a.txt", join(folder, "deep", "link.txt"));
  expect(await realPathInside(folder, "deep/b.txt")).toBe(join(folder, "deep", "b.txt"));
  expect(await realPathInside(folder, "deep/../a.txt")).toBe(join(folder, "a.txt"));
  expect(await realPathInside(folder, "deep/link.txt")).toBe(join(folder, "a.txt"));
});

test("nothing outside is, by whatever way", async () => {
  const outer = await realFolder({ "secret.txt": "s", "model/a.txt": "a", "model-2/b.txt": "b" });
  const folder = join(outer, "model");
  await symlink("../secret.txt", join(folder, "link.txt"));
  await symlink("..", join(folder, "up"));
  const ways = [
    "../secret.txt",
    "a/../../secret.txt",
    "link.txt",
    "up/secret.txt",
    "../model-2/b.txt",
  ];
  for (const name of [...ways, join(folder, "a.txt"), ".", ""]) {
    expect(await realPathInside(folder, name), name).toBeUndefined();
  }
  await expect(realPathInside(folder, "gone.txt")).rejects.toMatchObject({ code: "ENOENT" });
});

test("a snapshot in Hugging Face's cache may link into its own blobs, and no further", async () => {
  const cache = await realFolder({
    "models--org--net/blobs/1a2b": "weights",
    "models--org--other/blobs/3c4d": "another's",
    "plain/blobs/5e6f": "x",
  });
  const snapshot = join(cache, "models--org--net", "snapshots", "main");
  const imitation = join(cache, "plain", "snapshots", "main");
  for (const at of [join(snapshot, "onnx"), imitation]) await mkdir(at, { recursive: true });
  await symlink("../../blobs/1a2b", join(snapshot, "a"));
  await symlink("../../../blobs/1a2b", join(snapshot, "onnx", "b"));
  await symlink("../../../models--org--other/blobs/3c4d", join(snapshot, "c"));
  await symlink("../../blobs/5e6f", join(imitation, "d"));
  const blob = join(cache, "models--org--net", "blobs", "1a2b");
  expect(await realPathInside(snapshot, "a")).toBe(blob);
  expect(await realPathInside(join(snapshot, "onnx"), "b")).toBe(blob);
  expect(await realPathInside(snapshot, "c")).toBeUndefined();
  expect(await realPathInside(imitation, "d")).toBeUndefined();
});
