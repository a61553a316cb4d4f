import { realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";

/**
 * Where the file is that a folder calls `name`, links resolved; undefined if that is outside the folder.
 * Snapshots in Hugging Face's cache (`models--ORG--NAME/snapshots/REVISION`) are links into `blobs` of the
 * same repository: those count as inside.
 * @param folder with its own links resolved
 * @param name relative path; an absolute one is outside, wherever it leads
 * @throws what `realpath` throws if there is no such file
 */
export async function realPathInside(folder: string, name: string): Promise<string | undefined> {
  const wanted = resolve(folder, name);
  if (isAbsolute(name) || !within(folder, wanted)) return undefined;
  const real = await realpath(wanted);
  const blobs = blobsOf(folder);
  const inside = within(folder, real) || (blobs !== undefined && within(blobs, real));
  return inside ? real : undefined;
}

/** Whether a path lies below a folder, by its text alone. */
function within(folder: string, file: string): boolean {
  const path = relative(folder, file);
  return path !== "" && path !== ".." && !path.startsWith(`..${sep}`) && !isAbsolute(path);
}

/** Where Hugging Face's cache keeps the files of the snapshot that a folder is, or lies in. */
function blobsOf(folder: string): string | undefined {
  for (let at = folder; dirname(at) !== at; at = dirname(at)) {
    const repository = dirname(dirname(at));
    const isSnapshot = basename(dirname(at)) === "snapshots";
    if (isSnapshot && /^models--./.test(basename(repository))) return join(repository, "blobs");
  }
  return undefined;
}
