import { execFileSync } from "node:child_process";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { build } from "../../src/core/build.ts";
import { folderWith } from "../data/temporary.ts";

const DIST = fileURLToPath(new URL("../../dist/", import.meta.url));

test("the digest of a build changes with any of its code, and with nothing else", async () => {
  expect(build()).toMatch(/^[0-9a-f]{16}$/);
  const folder = await folderWith({});
  await cp(DIST, join(folder, "dist"), { recursive: true });
  await writeFile(join(folder, "package.json"), '{"type":"module"}');
  const digest = () => {
    const program = 'import("./dist/core/build.js").then(({ build }) => console.log(build()))';
    return execFileSync(process.execPath, ["-e", program], { cwd: folder, encoding: "utf8" });
  };
  const before = digest();
  await writeFile(join(folder, "dist", "notes.txt"), "no code");
  expect(digest()).toBe(before);
  const file = join(folder, "dist", "repairs", "slol.js");
  await writeFile(file, `${await readFile(file, "utf8")}//`);
  expect(digest()).not.toBe(before);
});
