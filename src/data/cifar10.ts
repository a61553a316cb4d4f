import { dirname, join } from "node:path";
import { AntidoteError, throwIfCancelled } from "../core/errors.ts";
import { kindOf, namesIn, readBytes } from "./files.ts";
import { concat, type Geometry, type ImageSet } from "./images.ts";

/** The ten classes in label order (Krizhevsky 2009, batches.meta.txt). */
export const CIFAR10_CLASSES: readonly string[] = [
  "airplane",
  "automobile",
  "bird",
  "cat",
  "deer",
  "dog",
  "frog",
  "horse",
  "ship",
  "truck",
];

export const CIFAR10_GEOMETRY: Geometry = { channels: 3, height: 32, width: 32 };

const IMAGE_BYTES = 3 * 32 * 32;
/** One label byte, then the red, green and blue planes, row by row. */
const RECORD_BYTES = 1 + IMAGE_BYTES;

const SPLIT_FILES = {
  train: [1, 2, 3, 4, 5].map((part) => `data_batch_${part}.bin`),
  test: ["test_batch.bin"],
};

export interface Cifar10Options {
  /** Which files of a folder to read: the 50 000 training images (default) or the 10 000 for test. */
  readonly split?: "train" | "test" | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Whether `name` is one of the canonical binary files. */
export function isCifar10File(name: string): boolean {
  return [...SPLIT_FILES.train, ...SPLIT_FILES.test].includes(name);
}

/**
 * CIFAR-10 in its binary version: one file, several, or the folder that holds them. Class names come
 * from the `batches.meta.txt` beside them, if there is one.
 * Errors: `DATA_NOT_FOUND` for a missing file; `DATA_INVALID` for a file that does not consist of
 * whole records or holds a label above 9.
 */
export async function readCifar10(
  path: string | readonly string[],
  { split = "train", signal }: Cifar10Options = {},
): Promise<ImageSet> {
  const files = typeof path === "string" ? await filesAt(path, split) : path;
  const classNames = await classNamesBeside(files[0]!);
  const sets: ImageSet[] = [];
  for (const file of files) {
    throwIfCancelled(signal);
    sets.push(parseCifar10(await readBytes(file), file, classNames));
  }
  return sets.length === 1 ? sets[0]! : concat(sets[0]!, ...sets.slice(1));
}

async function filesAt(path: string, split: "train" | "test"): Promise<string[]> {
  if ((await kindOf(path)) === "file") return [path];
  const present = await namesIn(path);
  const missing = SPLIT_FILES[split].filter((name) => !present.includes(name));
  if (missing.length > 0) {
    throw new AntidoteError("DATA_NOT_FOUND", `"${path}" lacks ${missing.join(", ")}.`, {
      place: path,
      next: "Give a folder with the whole binary version of CIFAR-10, or single files of it.",
    });
  }
  return SPLIT_FILES[split].map((name) => join(path, name));
}

async function classNamesBeside(file: string): Promise<readonly string[]> {
  const folder = dirname(file);
  if (!(await namesIn(folder)).includes("batches.meta.txt")) return CIFAR10_CLASSES;
  const path = join(folder, "batches.meta.txt");
  const text = new TextDecoder().decode(await readBytes(path));
  const names = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  if (names.length === CIFAR10_CLASSES.length) return names;
  throw new AntidoteError("DATA_INVALID", `"${path}" names ${names.length} classes, not 10.`, {
    place: path,
    next: "Put one class name on each of ten lines, or remove the file.",
  });
}

/** Parses the bytes of one file; `place` is what errors call it. */
export function parseCifar10(
  bytes: Uint8Array,
  place: string,
  classNames: readonly string[] = CIFAR10_CLASSES,
): ImageSet {
  const total = bytes.length / RECORD_BYTES;
  if (!Number.isInteger(total) || total === 0) {
    // A CIFAR-100 record has two label bytes.
    const cifar100 = bytes.length > 0 && bytes.length % (RECORD_BYTES + 1) === 0;
    throw new AntidoteError(
      "DATA_INVALID",
      `"${place}" has ${bytes.length} bytes, which is not a whole number of CIFAR-10 records of ${RECORD_BYTES} bytes${cifar100 ? " (it fits CIFAR-100)" : ""}.`,
      {
        place,
        next: cifar100
          ? "Export these images as one folder per class."
          : "Fetch the file again: it is truncated or not CIFAR-10's binary version.",
      },
    );
  }
  const images = new Uint8Array(total * IMAGE_BYTES); // [N,3,32,32]
  const labels = new Int32Array(total); // [N]
  for (let row = 0; row < total; row++) {
    const at = row * RECORD_BYTES;
    const label = bytes[at]!;
    if (label >= classNames.length) {
      throw new AntidoteError("DATA_INVALID", `Record ${row} of "${place}" has label ${label}.`, {
        place,
        next: "CIFAR-10's labels are 0 to 9: this is another data set or a damaged file.",
      });
    }
    labels[row] = label;
    images.set(bytes.subarray(at + 1, at + RECORD_BYTES), row * IMAGE_BYTES);
  }
  return { ...CIFAR10_GEOMETRY, images, labels, classNames };
}
