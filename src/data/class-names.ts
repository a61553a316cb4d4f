import { AntidoteError } from "../core/errors.ts";
import { assignClasses, positionsIn, readClassNames, sharedNames } from "./classes.ts";
import { kindOf } from "./files.ts";
import { contentsOf } from "./folder.ts";

/**
 * The class names that a path tells, in label order: those listed in a file (`readClassNames`), or those of a folder of
 * images with one folder for each class (`assignClasses`). No two are alike.
 * @throws `DATA_NOT_FOUND`; `DATA_INVALID` for a file that is no list, a folder without class folders, names that several classes
 *   bear, or less than two classes; `CLASSES_MISMATCH`
 */
export async function classNamesFrom(path: string): Promise<readonly string[]> {
  const names =
    (await kindOf(path)) === "folder" ? await folderNames(path) : await readClassNames(path);
  const [shared] = sharedNames(names);
  if (shared) {
    const [name, classes] = shared;
    throw new AntidoteError(
      "DATA_INVALID",
      `"${path}" gives several classes the name "${name}" (${positionsIn(path, classes)}): nothing tells them apart.`,
      { place: path, next: "Give each of them a name of its own." },
    );
  }
  if (names.length >= 2) return names;
  throw new AntidoteError("DATA_INVALID", `"${path}" tells ${names.length} class names.`, {
    place: path,
    next: "Give at least two: a file with one name on each line, or a folder with one folder for each class.",
  });
}

async function folderNames(path: string): Promise<readonly string[]> {
  const { folders } = await contentsOf(path);
  return folders.length === 0 ? [] : (await assignClasses(folders, {}, path)).classNames;
}
