import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { AntidoteError } from "../core/errors.ts";

/** More than any data set that fits in memory here; bounds what a hostile .gz can expand to. */
const MAX_UNPACKED_BYTES = 2 ** 31;

/** What is at `path`, symbolic links followed; `DATA_NOT_FOUND` if nothing is. */
export async function kindOf(path: string): Promise<"file" | "folder"> {
  try {
    return (await stat(path)).isDirectory() ? "folder" : "file";
  } catch (cause) {
    throw new AntidoteError("DATA_NOT_FOUND", `There is no file or folder "${path}".`, {
      place: path,
      next: "Check the path.",
      cause,
    });
  }
}

/** The names in a folder, without hidden ones, in the order of their characters. */
export async function namesIn(folder: string): Promise<string[]> {
  await kindOf(folder);
  try {
    const names = await readdir(folder);
    return names.filter((name) => !name.startsWith(".")).sort();
  } catch (cause) {
    throw unreadable(folder, cause);
  }
}

/**
 * The paths, inside `folder`, of all files in it and in the folders below, hidden ones left out,
 * ordered by path. A link to a file counts as a file; links to folders are not entered.
 */
export async function filesBelow(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
      .filter((name) => !name.split(sep).some((part) => part.startsWith(".")))
      .sort();
  } catch (cause) {
    throw unreadable(folder, cause);
  }
}

/** A whole data file, unpacked if its name ends in .gz. */
export async function readBytes(path: string): Promise<Uint8Array> {
  await kindOf(path);
  try {
    const bytes = await readFile(path);
    if (!path.endsWith(".gz")) return bytes;
    return await promisify(gunzip)(bytes, { maxOutputLength: MAX_UNPACKED_BYTES });
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/**
 * A whole text file, without a byte order mark.
 * @throws `DATA_NOT_FOUND`; `DATA_INVALID` if it has more than `maxBytes`, or is no UTF-8
 */
export async function readText(path: string, maxBytes: number): Promise<string> {
  await kindOf(path);
  try {
    const { size } = await stat(path);
    if (size > maxBytes) throw new Error(`it has more than ${maxBytes / 2 ** 20} MB`);
    return new TextDecoder("utf-8", { fatal: true }).decode(await readFile(path));
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function unreadable(path: string, cause: unknown): AntidoteError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new AntidoteError("DATA_INVALID", `"${path}" cannot be read: ${reason}.`, {
    place: path,
    next: "Check that the file is complete and that you may read it.",
    cause,
  });
}
