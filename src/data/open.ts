import { basename } from "node:path";
import { AntidoteError } from "../core/errors.ts";
import { isCifar10File, readCifar10 } from "./cifar10.ts";
import { abridged, checkClassCount, readClassNames, sharedNames } from "./classes.ts";
import { kindOf, namesIn } from "./files.ts";
import { type FolderOptions, IMAGES_STAGE, imageFolder } from "./folder.ts";
import { isIdxImagesFile, readIdx } from "./idx.ts";
import { ascending, type Geometry, geometryInWords, type ImageSet } from "./images.ts";

export interface OpenOptions extends FolderOptions {
  /** Which part to read where a folder of CIFAR-10 or idx files holds both; by default `train`. */
  readonly split?: "train" | "test" | undefined;
}

/**
 * Opens whatever `--images` names: a folder of class folders, CIFAR-10 binary files (one or their
 * folder), or idx files (the images file or its folder). Class folders are resized to the model's
 * input; the other formats must have its size. Class names that are not distinct give a warning.
 * Errors: those of `imageFolder`, `readCifar10` and `readIdx`; `DATA_INVALID` for an unknown format or
 * another image size; `CLASSES_MISMATCH` for another number of classes.
 */
export async function openImages(path: string, options: OpenOptions): Promise<ImageSet> {
  const set = await openKnown(path, options);
  const shared = Array.from(
    sharedNames(set.classNames),
    ([name, classes]) => `${name}: ${classes.join(" and ")}`,
  );
  if (shared.length > 0) {
    const message = `Several classes bear the same name (${abridged(shared)}): no image is matched to them by it.`;
    options.emit?.({ kind: "warning", stage: IMAGES_STAGE, message });
  }
  return set;
}

async function openKnown(path: string, options: OpenOptions): Promise<ImageSet> {
  const { split, signal, classCount } = options;
  const folder = (await kindOf(path)) === "folder";
  const names = folder ? await namesIn(path) : [basename(path)];
  const isCifar10 = names.some(isCifar10File) || (!folder && path.endsWith(".bin"));
  const isIdx = names.some(isIdxImagesFile);
  if ((isCifar10 || isIdx) && options.labels !== undefined) {
    throw new AntidoteError("USAGE", `The files in "${path}" hold their labels themselves.`, {
      place: options.labels,
      next: "Leave out --labels.",
    });
  }
  if (isCifar10) {
    const set = await readCifar10(path, { split, signal });
    const classNames = (await listedNames(options)) ?? set.classNames;
    checkClassCount(set.classNames.length, classCount ?? classNames.length, path);
    const origin = { kind: "cifar10", path, classOrder: "labels in the files" } as const;
    return ofModelSize({ ...set, classNames, origin }, path, options);
  }
  if (isIdx) {
    // The labels bear no names, and the highest ones may just not occur among few images.
    const numbers = classCount === undefined ? undefined : ascending(classCount).map(String);
    const classNames = (await listedNames(options)) ?? options.classNames ?? numbers;
    const set = await readIdx(path, { split, classNames });
    const origin = { kind: "idx", path, classOrder: "labels in the files" } as const;
    return ofModelSize({ ...set, origin }, path, options);
  }
  if (folder) return imageFolder(path, options);
  throw new AntidoteError("DATA_INVALID", `"${path}" is no set of images that is known here.`, {
    place: path,
    next: "Give a folder with one folder of images for each class, a CIFAR-10 file such as data_batch_1.bin, or an idx file such as train-images-idx3-ubyte.",
  });
}

async function listedNames({ classes, classCount }: OpenOptions): Promise<string[] | undefined> {
  if (classes === undefined) return undefined;
  const names = await readClassNames(classes);
  checkClassCount(names.length, classCount, classes);
  return names;
}

function ofModelSize(set: ImageSet, path: string, wanted: Geometry): ImageSet {
  const [found, size] = [set, wanted].map(geometryInWords);
  if (found === size) return set;
  throw new AntidoteError(
    "DATA_INVALID",
    `The images in "${path}" are ${found} (channels × height × width), but the model takes ${size}.`,
    { place: path, next: "Give images as class folders: those are resized." },
  );
}
