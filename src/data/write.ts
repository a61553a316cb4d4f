import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AntidoteError, throwIfCancelled } from "../core/errors.ts";
import { makeFolder } from "../core/write-file.ts";
import { type ImageSet, imageAt, occurrences } from "./images.ts";
import { encodePng } from "./png.ts";

/**
 * Writes a set as one folder of PNG files for each class, in the form that `imageFolder` reads back
 * without loss: folder `03_cat` for class 3, file `000017.png` for image 17 of the set, and after the
 * last one's those of `repeats`. Existing files of these names are overwritten.
 * @param repeats positions of images that are written once more, one entry for each further time
 * @param progress is told how many files are written
 * @throws `OUTPUT_NOT_WRITABLE`, `CANCELLED`
 */
export async function writeClassFolders(
  set: ImageSet,
  folder: string,
  { repeats, signal, progress }: WriteOptions = {},
): Promise<void> {
  const files = classFolderFiles(set, repeats);
  const shown = occurrences(set, repeats);
  try {
    for (const inside of new Set(files.map(dirname))) {
      await makeFolder(join(folder, inside));
    }
    for (const [place, file] of files.entries()) {
      throwIfCancelled(signal);
      await writeFile(join(folder, file), await encodePng(imageAt(set, shown[place]!), set));
      progress?.(place + 1);
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

export interface WriteOptions {
  readonly repeats?: readonly number[] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((done: number) => void) | undefined;
}

/**
 * Where `writeClassFolders` puts every image of a set and then its repeats, below its folder, with "/"
 * between the parts.
 */
export function classFolderFiles(set: ImageSet, repeats?: readonly number[]): string[] {
  const { labels, classNames } = set;
  const digits = String(Math.max(0, classNames.length - 1)).length;
  const folders = classNames.map(
    (name, label) => `${String(label).padStart(digits, "0")}_${fileSafe(name)}`,
  );
  return occurrences(set, repeats).map(
    (index, place) => `${folders[labels[index]!]}/${String(place).padStart(6, "0")}.png`,
  );
}

/** A class name with every character that some file system refuses replaced. */
function fileSafe(name: string): string {
  return name.replace(/[^\p{L}\p{N}._-]+/gu, "_");
}
