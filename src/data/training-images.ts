import { basename } from "node:path";
import type { Emit } from "../core/progress.ts";
import type { Random } from "../core/random.ts";
import { isCifar10File, readCifar10 } from "./cifar10.ts";
import { kindOf, namesIn } from "./files.ts";
import { imageFolder } from "./folder.ts";
import { isIdxImagesFile, readIdx } from "./idx.ts";
import type { ImageSet } from "./images.ts";
import { proceduralImages } from "./procedural.ts";

/** Stands for the drawn set in place of a path. */
export const PROCEDURAL = "procedural";

export interface TrainingImagesOptions {
  /** What to read of a folder that holds both. */
  readonly split: "train" | "test";
  /** Height and width to which images in folders are brought. */
  readonly size: number;
  /** How many images to draw of the procedural set. */
  readonly count: number;
  readonly random: Random;
  /** Of the images that a network is trained on, for others that are to have the same classes. */
  readonly classNames?: readonly string[] | undefined;
  readonly emit: Emit;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The images to train a new network on. No model says how large they are: files keep their own size,
 * folders get the given one.
 */
export async function trainingImages(
  source: string,
  { split, size, count, random, classNames, emit, signal }: TrainingImagesOptions,
): Promise<ImageSet> {
  if (source === PROCEDURAL) return proceduralImages({ count, size, random });
  const isFolder = (await kindOf(source)) === "folder";
  const names = isFolder ? await namesIn(source) : [basename(source)];
  if (names.some(isCifar10File)) return readCifar10(source, { split, signal });
  if (names.some(isIdxImagesFile)) return readIdx(source, isFolder ? { split } : {});
  const geometry = { channels: 3, height: size, width: size };
  return imageFolder(source, {
    ...{ ...geometry, classNames, classNamesFrom: "the training images", emit, signal },
  });
}
