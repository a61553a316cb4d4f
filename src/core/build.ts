import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

let known: string | undefined;

/** What tells builds of one version apart: 16 hexadecimal digits of the SHA-256 of the program's own files. */
export function build(): string {
  known ??= digestOf(ROOT);
  return known;
}

/** @param root folder whose code is meant, as it is run or as it is written */
function digestOf(root: string): string {
  const hash = createHash("sha256");
  for (const { name, path } of codeIn(root)) hash.update(`${name}\0`).update(readFileSync(path));
  return hash.digest("hex").slice(0, 16);
}

/** By their names within the root, the same everywhere. */
function codeIn(root: string): { readonly name: string; readonly path: string }[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /(?<!\.d)\.[jt]s$/.test(entry.name))
    .map(({ parentPath, name }) => resolve(parentPath, name))
    .map((path) => ({ path, name: relative(root, path).split(sep).join("/") }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
