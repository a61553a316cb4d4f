import { join } from "node:path";
import { AntidoteError, throwIfCancelled } from "../core/errors.ts";
import { type Emit, silent } from "../core/progress.ts";
import { abridged, assignClasses, type ClassRules } from "./classes.ts";
import { decodeImage, type Sizing, sizingWords } from "./decode.ts";
import { filesBelow, kindOf, namesIn } from "./files.ts";
import {
  type LabelledFile,
  type LabelledFiles,
  labelledByTable,
  tableAmong,
} from "./flat-folder.ts";
import { ascending, type Geometry, type ImageSet, imageLength, subset } from "./images.ts";
import { classesInNames } from "./label-names.ts";
import { IN_MEMORY, type Pixels, type WritePixels, writtenPixels } from "./pixels.ts";

export interface FolderOptions extends Geometry, ClassRules {
  /** What an image that cannot be decoded does: stop with an error (default) or be left out. */
  readonly onUnreadable?: "error" | "skip" | undefined;
  /** A table of file names and labels (`--labels`), where it does not lie in the folder; see `readTable`. */
  readonly labels?: string | undefined;
  /** How pictures are brought to the wanted size; see `decodeImage`. */
  readonly sizing?: Sizing | undefined;
  /** Bytes up to which the pixels are held in memory (default: `IN_MEMORY`); more are read as they are needed. */
  readonly inMemory?: number | undefined;
  readonly emit?: Emit | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What progress calls the reading of images. */
export const IMAGES_STAGE = "images";
const IMAGE_NAME = /\.(png|jpe?g|jpe|jfif|webp|gif|tiff?|avif|bmp|heic|jp2|ppm|pgm)$/i;
const SPLIT_NAME = /^(train|val|valid|validation|test)(ing)?$/i;

/** Images decoded at once; each keeps a decoder thread of libvips busy. */
const CONCURRENCY = 8;

/**
 * Reads a folder of images with their classes, at the size of the model's input (`decodeImage` says how). Classes
 * come from a table (`labelledByTable`), else from one folder for each class (`assignClasses`), else from the names of
 * files that all lie in the folder itself (`classesInNames`); a note reports how. Links are followed, hidden files
 * ignored; other files are left out with a warning.
 * Errors: `DATA_NOT_FOUND`; `DATA_INVALID` if nothing tells the classes, or there are no images;
 * `CLASSES_MISMATCH`; `IMAGE_UNREADABLE`, naming the first few; `CANCELLED`.
 */
export async function imageFolder(path: string, options: FolderOptions): Promise<ImageSet> {
  const { emit = silent } = options;
  const { files, classNames, rule } = await labelledFiles(path, options);
  emit({ kind: "note", stage: IMAGES_STAGE, message: `Classes by ${rule}.` });
  const present = new Set(files.map(({ label }) => label));
  const absent = classNames.filter((_, label) => !present.has(label));
  if (absent.length > 0) {
    const message = `No images of ${absent.length} of ${classNames.length} classes (${abridged(absent)}).`;
    emit({ kind: "warning", stage: IMAGES_STAGE, message });
  }
  return decoded(path, files, classNames, rule, options);
}

async function labelledFiles(path: string, options: FolderOptions): Promise<LabelledFiles> {
  const { folders, files: names } = await contentsOf(path);
  const images = names.filter((name) => IMAGE_NAME.test(name));
  const byFolders = () => labelledByFolders(path, folders, options);
  const found = options.labels === undefined && tableAmong(names, folders.length > 0, path);
  const table = found ? join(path, found) : options.labels;
  if (table !== undefined) {
    // Links to folders are followed here, as where they are classes.
    const below = await Promise.all(
      folders.map(async (folder) =>
        (await filesBelow(join(path, folder))).map((name) => join(folder, name)),
      ),
    );
    const present = [...names, ...below.flat()].filter((name) => IMAGE_NAME.test(name)).sort();
    return labelledByTable(
      table,
      path,
      present,
      options,
      found && folders.length > 0 ? byFolders : undefined,
    );
  }
  if (folders.length > 0) return byFolders();
  if (images.length === 0) {
    throw noImages(path, `"${path}" holds neither class folders nor images.`);
  }
  const { labels, ...classes } = await classesInNames(images, options, path);
  return { ...classes, files: images.map((name, i) => ({ name, label: labels[i]! })) };
}

async function labelledByFolders(
  path: string,
  folders: readonly string[],
  options: FolderOptions,
): Promise<LabelledFiles> {
  const { emit = silent } = options;
  const { labels, classNames, rule } = await assignClasses(folders, options, path);
  const files: LabelledFile[] = [];
  let others = 0;
  for (const [i, folder] of folders.entries()) {
    for (const name of await filesBelow(join(path, folder))) {
      if (IMAGE_NAME.test(name)) files.push({ name: join(folder, name), label: labels[i]! });
      else others++;
    }
  }
  if (files.length === 0) throw noImages(path, `The class folders in "${path}" hold no images.`);
  if (others > 0) {
    const message = `${others} ${others === 1 ? "file that is no image was" : "files that are no images were"} left out.`;
    emit({ kind: "warning", stage: IMAGES_STAGE, message });
  }
  return { files, classNames, rule };
}

/** How records name the class order of images without labels. */
export const UNLABELLED = "no labels: the model's own answers stand for them";

/**
 * Reads a folder of images that bear no labels, in whatever folders below it; all are labelled 0 until somebody
 * knows better.
 * @param classNames of the model that will label them
 * @throws `DATA_NOT_FOUND`; `DATA_INVALID` if there are no images; `IMAGE_UNREADABLE`; `CANCELLED`
 */
export async function unlabelledFolder(
  path: string,
  classNames: readonly string[],
  options: FolderOptions,
): Promise<ImageSet> {
  const names = (await kindOf(path)) === "folder" ? await filesBelow(path) : [];
  const files = names.filter((name) => IMAGE_NAME.test(name)).map((name) => ({ name, label: 0 }));
  if (files.length === 0) throw noImages(path, `"${path}" holds no images.`);
  return decoded(path, files, classNames, UNLABELLED, options);
}

/** The images of these files as a set. */
async function decoded(
  path: string,
  files: readonly LabelledFile[],
  classNames: readonly string[],
  classOrder: string,
  options: FolderOptions,
): Promise<ImageSet> {
  const { channels, height, width } = options;
  const { images, readable } = await decodeAll(path, files, options);
  const set: ImageSet = {
    images,
    labels: Int32Array.from(files, (file) => file.label),
    ...{ channels, height, width, classNames },
    names: files.map((file) => file.name),
    origin: { kind: "folder", path, classOrder, sizing: sizingWords(options.sizing) },
  };
  return readable.length === files.length ? set : subset(set, readable);
}

function noImages(path: string, message: string): AntidoteError {
  return new AntidoteError("DATA_INVALID", message, {
    place: path,
    next: "Give PNG, JPEG, WebP, GIF, TIFF or AVIF files.",
  });
}

/** Decodes all files to [N,C,H,W]; the rows of unreadable ones, if they may be left out, stay zero. */
async function decodeAll(
  path: string,
  files: readonly LabelledFile[],
  options: FolderOptions,
): Promise<{ images: Pixels; readable: number[] }> {
  const { emit = silent, inMemory = IN_MEMORY } = options;
  const length = files.length * imageLength(options);
  const failures = new Map<number, AntidoteError>();
  const images = await writtenPixels(
    length,
    (write) => decodeInto(write, path, files, options, failures),
    inMemory,
  );
  const total = files.length;
  const readable = ascending(total).filter((row) => !failures.has(row));
  if (failures.size > 0) {
    const message = summary(ascending(total).flatMap((row) => failures.get(row)?.message ?? []));
    if (options.onUnreadable !== "skip" || readable.length === 0) {
      throw new AntidoteError("IMAGE_UNREADABLE", message, {
        place: path,
        next: "Replace or remove them, or allow them to be left out.",
      });
    }
    emit({ kind: "warning", stage: IMAGES_STAGE, message: `Left out: ${message}` });
  }
  return { images, readable };
}

async function decodeInto(
  write: WritePixels,
  path: string,
  files: readonly LabelledFile[],
  options: FolderOptions,
  failures: Map<number, AntidoteError>,
): Promise<void> {
  const { emit = silent, signal } = options;
  const length = imageLength(options);
  const total = files.length;
  const everyPercent = Math.ceil(total / 100);
  let done = 0;
  await concurrently(total, async (row) => {
    throwIfCancelled(signal);
    const file = join(path, files[row]!.name);
    const image = await decodeImage(file, options, file, options.sizing).catch((error: unknown) => {
      if (!(error instanceof AntidoteError)) throw error;
      failures.set(row, error);
    });
    if (image) await write(image, row * length);
    done++;
    if (done % everyPercent === 0 || done === total) {
      emit({ kind: "step", stage: IMAGES_STAGE, done, total });
    }
  });
}

/** How many images failed, and why the first few did. */
function summary(reasons: readonly string[]): string {
  const count = `${reasons.length} ${reasons.length === 1 ? "image" : "images"}`;
  const first = reasons.slice(0, 3).join(" ");
  return `${count} cannot be read: ${first}${reasons.length > 3 ? " …" : ""}`;
}

/** The folders and the other files in a folder of images; splits are refused. */
export async function contentsOf(path: string): Promise<{ folders: string[]; files: string[] }> {
  const folders: string[] = [];
  const files: string[] = [];
  for (const name of await namesIn(path)) {
    ((await kindOf(join(path, name))) === "folder" ? folders : files).push(name);
  }
  if (folders.length > 0 && folders.every((name) => SPLIT_NAME.test(name))) {
    throw new AntidoteError("DATA_INVALID", `"${path}" holds splits, not class folders.`, {
      place: path,
      next: `Give the class folders of one of them, e.g. "${join(path, folders[0]!)}".`,
    });
  }
  return { folders, files };
}

/** Runs `work(0)` … `work(total − 1)`, a few at once; the first failure ends it. */
async function concurrently(total: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < total) await work(next++);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
}
