import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AntidoteError, throwIfCancelled } from "../core/errors.ts";
import { count, type ImageSet, imageAt } from "./images.ts";
import { encodePng } from "./png.ts";

/**
 * Writes a set as one folder of PNG files for each class, in the form that `imageFolder` reads back
 * without loss: folder `03_cat` for class 3, file `000017.png` for image 17 of the set. Existing
 * files of these names are overwritten. Errors: `OUTPUT_NOT_WRITABLE`; `CANCELLED`.
 */
export async function writeClassFolders(
  set: ImageSet,
  folder: string,
  signal?: AbortSignal,
): Promise<void> {
  const digits = String(Math.max(0, set.classNames.length - 1)).length;
  const folders = set.classNames.map((name, label) =>
    join(folder, `${String(label).padStart(digits, "0")}_${fileSafe(name)}`),
  );
  try {
    for (const label of new Set(set.labels)) await mkdir(folders[label]!, { recursive: true });
    for (let row = 0; row < count(set); row++) {
      throwIfCancelled(signal);
      const file = join(folders[set.labels[row]!]!, `${String(row).padStart(6, "0")}.png`);
      await writeFile(file, await encodePng(imageAt(set, row), set));
    }
  } catch (cause) {
    if (cause instanceof AntidoteError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AntidoteError("OUTPUT_NOT_WRITABLE", `Images cannot be written: ${reason}.`, {
      place: folder,
      next: "Give a folder that you may write to, with enough space.",
      cause,
    });
  }
}

/** A class name with every character that some file system refuses replaced. */
function fileSafe(name: string): string {
  return name.replace(/[^\p{L}\p{N}._-]+/gu, "_");
}
