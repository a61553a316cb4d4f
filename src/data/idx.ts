import { basename, dirname, join } from "node:path";
import { AntidoteError } from "../core/errors.ts";
import { kindOf, namesIn, readBytes } from "./files.ts";
import type { ImageSet } from "./images.ts";

/** An unsigned-byte array as idx files hold it. */
interface IdxArray {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

export interface IdxOptions {
  /** Which pair of files of a folder to read; by default the only one, and `train` of two. */
  readonly split?: "train" | "test" | undefined;
  /** Names in label order; by default the labels as decimal numbers, "0" to the largest one. */
  readonly classNames?: readonly string[] | undefined;
}

/** Whether `name` looks like the images file of an idx pair, e.g. `t10k-images-idx3-ubyte.gz`. */
export function isIdxImagesFile(name: string): boolean {
  return /images[-.]idx3-ubyte(\.gz)?$/.test(name);
}

/**
 * A pair of idx files (LeCun's format of MNIST; Fashion-MNIST, EMNIST): the images file, whose labels
 * file is found by its name, or the folder that holds both. Files ending in .gz are unpacked.
 * Errors: `DATA_NOT_FOUND` for a missing file; `DATA_INVALID` for a wrong magic number or length,
 * images and labels of different number, or a label without a name.
 */
export async function readIdx(path: string, options: IdxOptions = {}): Promise<ImageSet> {
  const imagesFile = await imagesFileAt(path, options.split);
  const labelsFile = await labelsFileOf(imagesFile);
  const images = parseIdx(await readBytes(imagesFile), imagesFile, 3); // [N,H,W]
  const labels = parseIdx(await readBytes(labelsFile), labelsFile, 1); // [N]
  const [total, height, width] = images.shape as [number, number, number];
  if (labels.shape[0] !== total) {
    throw new AntidoteError(
      "DATA_INVALID",
      `"${imagesFile}" holds ${total} images, but "${labelsFile}" ${labels.shape[0]} labels.`,
      { place: labelsFile, next: "Give two files that belong together." },
    );
  }
  const largest = labels.data.reduce((max, label) => Math.max(max, label), 0);
  const classNames = options.classNames ?? Array.from({ length: largest + 1 }, (_, k) => String(k));
  if (largest >= classNames.length) {
    throw new AntidoteError(
      "DATA_INVALID",
      `"${labelsFile}" has label ${largest}, but there are only ${classNames.length} classes.`,
      { place: labelsFile, next: "Check that these images belong to this model." },
    );
  }
  return {
    images: images.data, // [N,1,H,W]
    labels: Int32Array.from(labels.data),
    channels: 1,
    height,
    width,
    classNames,
  };
}

async function imagesFileAt(path: string, split: IdxOptions["split"]): Promise<string> {
  if ((await kindOf(path)) === "file") return path;
  const found = (await namesIn(path)).filter(isIdxImagesFile);
  const isTest = (name: string) => /^(t10k|test)/.test(name) || /-test-/.test(name);
  const chosen =
    found.length === 1 && split === undefined
      ? found[0]
      : found.find((name) => isTest(name) === (split === "test"));
  if (chosen !== undefined) return join(path, chosen);
  throw new AntidoteError(
    "DATA_NOT_FOUND",
    `"${path}" has no idx images file${split ? ` of the ${split} split` : ""}.`,
    { place: path, next: "Give a folder with, for example, train-images-idx3-ubyte." },
  );
}

/** MNIST's naming: images-idx3 becomes labels-idx1; packed or not. */
async function labelsFileOf(imagesFile: string): Promise<string> {
  const folder = dirname(imagesFile);
  const wanted = basename(imagesFile)
    .replace(/\.gz$/, "")
    .replace(/images([-.])idx3/, "labels$1idx1");
  const present = await namesIn(folder);
  for (const name of [wanted, `${wanted}.gz`]) {
    if (name !== basename(imagesFile) && present.includes(name)) return join(folder, name);
  }
  throw new AntidoteError("DATA_NOT_FOUND", `There are no labels for "${imagesFile}".`, {
    place: imagesFile,
    next: `Put the labels file beside it, named ${wanted} or ${wanted}.gz.`,
  });
}

/** Parses an idx file of unsigned bytes with `rank` axes; `place` is what errors call it. */
export function parseIdx(bytes: Uint8Array, place: string, rank: number): IdxArray {
  const headerBytes = 4 + 4 * rank;
  const invalid = (what: string) =>
    new AntidoteError("DATA_INVALID", `"${place}" ${what}.`, {
      place,
      next: "Fetch the file again: it is damaged or not in idx format.",
    });
  if (bytes.length < headerBytes) throw invalid("is too short for an idx header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Magic number: two zero bytes, the element type (8 = unsigned byte), the number of axes.
  const magic = view.getUint32(0);
  if (magic !== 0x0800 + rank) {
    throw invalid(
      `starts with 0x${magic.toString(16)}, not with 0x${(0x0800 + rank).toString(16)}`,
    );
  }
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const wanted = shape.reduce((product, extent) => product * extent, 1);
  if (wanted === 0) throw invalid("holds no images");
  if (bytes.length - headerBytes !== wanted) {
    throw invalid(
      `announces ${wanted} bytes ([${shape.join(", ")}]) but holds ${bytes.length - headerBytes}`,
    );
  }
  return { shape, data: bytes.slice(headerBytes) };
}
