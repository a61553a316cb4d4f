import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AntidoteError, throwIfCancelled } from "../core/errors.ts";
import { type ImageSet, imageAt } from "./images.ts";
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
  progress?: (done: number) => void,
): Promise<void> {
  const files = classFolderFiles(set);
  try {
    for (const inside of new Set(files.map(dirname))) {
      await mkdir(join(folder, inside), { recursive: true });
    }
    for (const [row, file] of files.entries()) {
      throwIfCancelled(signal);
      await writeFile(join(folder, file), await encodePng(imageAt(set, row), set));
      progress?.(row + 1);
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

/** Where `writeClassFolders` puts every image of a set, below its folder, with "/" between the parts. */
export function classFolderFiles({ labels, classNames }: ImageSet): string[] {
  const digits = String(Math.max(0, classNames.length - 1)).length;
  const folders = classNames.map(
    (name, label) => `${String(label).padStart(digits, "0")}_${fileSafe(name)}`,
  );
  return Array.from(
    labels,
    (label, row) => `${folders[label]}/${String(row).padStart(6, "0")}.png`,
  );
}

/** A class name with every character that some file system refuses replaced. */
function fileSafe(name: string): string {
  return name.replace(/[^\p{L}\p{N}._-]+/gu, "_");
}
