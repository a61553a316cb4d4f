import { readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { AntidoteError, throwIfCancelled } from "../core/errors.ts";
import { type Emit, silent } from "../core/progress.ts";
import { abridged, assignClasses, type ClassRules } from "./classes.ts";
import { decodeImage } from "./decode.ts";
import { kindOf, namesIn } from "./files.ts";
import { type Geometry, type ImageSet, imageLength } from "./images.ts";

export interface FolderOptions extends Geometry, ClassRules {
  /** What an image that cannot be decoded does: stop with an error (default) or be left out. */
  readonly onUnreadable?: "error" | "skip" | undefined;
  readonly emit?: Emit | undefined;
  readonly signal?: AbortSignal | undefined;
}

const STAGE = "images";
const IMAGE_NAME = /\.(png|jpe?g|jpe|jfif|webp|gif|tiff?|avif|bmp|heic|jp2|ppm|pgm)$/i;
const SPLIT_NAME = /^(train|val|valid|validation|test)(ing)?$/i;

/** Images decoded at once; each keeps a decoder thread of libvips busy. */
const CONCURRENCY = 8;

/**
 * Reads a folder that holds one folder of images for each class, at the size of the model's input
 * (`decodeImage` says how); `assignClasses` decides which folder is which class, and a note reports
 * it. Links are followed, hidden files ignored; other files are left out with a warning.
 * Errors: `DATA_NOT_FOUND`; `DATA_INVALID` if there are no class folders or no images;
 * `CLASSES_MISMATCH`; `IMAGE_UNREADABLE`, naming the first few; `CANCELLED`.
 */
export async function imageFolder(path: string, options: FolderOptions): Promise<ImageSet> {
  const { emit = silent, signal } = options;
  const folders = await classFolders(path);
  const { labels, classNames, rule } = await assignClasses(folders, options, path);
  emit({ kind: "note", stage: STAGE, message: `Classes by ${rule}.` });
  const files: { path: string; label: number }[] = [];
  let others = 0;
  for (const [i, folder] of folders.entries()) {
    for (const file of await filesBelow(join(path, folder))) {
      if (IMAGE_NAME.test(file)) files.push({ path: file, label: labels[i]! });
      else others++;
    }
  }
  if (others > 0) {
    const message = `${others} ${others === 1 ? "file that is no image was" : "files that are no images were"} left out.`;
    emit({ kind: "warning", stage: STAGE, message });
  }
  if (files.length === 0) {
    throw new AntidoteError("DATA_INVALID", `The class folders in "${path}" hold no images.`, {
      place: path,
      next: "Give PNG, JPEG, WebP, GIF, TIFF or AVIF files.",
    });
  }

  const absent = classNames.filter((_, label) => !files.some((file) => file.label === label));
  if (absent.length > 0) {
    const message = `No images of ${absent.length} of ${classNames.length} classes (${abridged(absent)}).`;
    emit({ kind: "warning", stage: STAGE, message });
  }

  const length = imageLength(options);
  const images = new Uint8Array(files.length * length); // [N,C,H,W]
  const failures: (AntidoteError | undefined)[] = files.map(() => undefined);
  let done = 0;
  const everyPercent = Math.ceil(files.length / 100);
  await concurrently(files.length, async (row) => {
    throwIfCancelled(signal);
    try {
      images.set(await decodeImage(files[row]!.path, options, files[row]!.path), row * length);
    } catch (error) {
      if (!(error instanceof AntidoteError)) throw error;
      failures[row] = error;
    }
    done++;
    if (done % everyPercent === 0 || done === files.length) {
      emit({ kind: "step", stage: STAGE, done, total: files.length });
    }
  });
  const failed = failures.filter((failure) => failure !== undefined);
  if (failed.length > 0) reportUnreadable(failed, path, options);
  const kept = files.flatMap((_, row) => (failures[row] === undefined ? [row] : []));
  const { channels, height, width } = options;
  return {
    images: failed.length === 0 ? images : compacted(images, kept, length),
    labels: Int32Array.from(kept, (row) => files[row]!.label),
    channels,
    height,
    width,
    classNames,
    names: kept.map((row) => relative(path, files[row]!.path)),
  };
}

async function classFolders(path: string): Promise<string[]> {
  const folders: string[] = [];
  let hasImages = false;
  for (const name of await namesIn(path)) {
    if ((await kindOf(join(path, name))) === "folder") folders.push(name);
    else hasImages ||= IMAGE_NAME.test(name);
  }
  if (folders.length > 0 && folders.every((name) => SPLIT_NAME.test(name))) {
    throw new AntidoteError("DATA_INVALID", `"${path}" holds splits, not class folders.`, {
      place: path,
      next: `Give the class folders of one of them, e.g. "${join(path, folders[0]!)}".`,
    });
  }
  if (folders.length > 0) return folders;
  throw new AntidoteError(
    "DATA_INVALID",
    `"${path}" holds ${hasImages ? "images, but no class folders" : "no class folders"}.`,
    { place: path, next: "Put the images of each class into a folder of its own." },
  );
}

/** All files in a folder and the folders in it, hidden ones left out, ordered by path. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !/(^|[\\/])\./.test(relative(folder, file)))
    .sort();
}

/** Throws for unreadable images, or warns where they are to be left out. */
function reportUnreadable(
  failures: readonly AntidoteError[],
  place: string,
  { onUnreadable = "error", emit = silent }: FolderOptions,
): void {
  const first = failures.slice(0, 3).map((failure) => failure.message);
  const count = `${failures.length} ${failures.length === 1 ? "image" : "images"}`;
  const message = `${count} cannot be read: ${first.join(" ")}${failures.length > 3 ? " …" : ""}`;
  if (onUnreadable === "skip") {
    emit({ kind: "warning", stage: STAGE, message: `Left out: ${message}` });
    return;
  }
  throw new AntidoteError("IMAGE_UNREADABLE", message, {
    place,
    next: "Replace or remove them, or allow them to be left out.",
    cause: failures[0],
  });
}

/** The images at `rows`, [N,C,H,W] with C·H·W = `length`. */
function compacted(images: Uint8Array, rows: readonly number[], length: number): Uint8Array {
  const result = new Uint8Array(rows.length * length);
  rows.forEach((row, to) => {
    result.set(images.subarray(row * length, (row + 1) * length), to * length);
  });
  return result;
}

/** Runs `work(0)` … `work(total − 1)`, a few at once; the first failure ends it. */
async function concurrently(total: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < total) await work(next++);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
}
