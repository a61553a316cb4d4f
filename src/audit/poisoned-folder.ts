import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { PoisonedSet } from "../attacks/poison.ts";
import { AntidoteError } from "../core/errors.ts";
import { type ImageSet, occurrences } from "../data/images.ts";
import { classFolderFiles } from "../data/write.ts";
import { type PoisonRecord, poisonRecord } from "./poison-record.ts";
import type { TrainRecord } from "./train-record.ts";

const MANIFEST = "poison.json";

/** Path of the manifest in a folder of poisoned images. */
export function manifestIn(folder: string): string {
  return join(folder, MANIFEST);
}

/** What the manifest says about marked images. */
export function markedFiles(clean: ImageSet, poisoned: PoisonedSet): PoisonRecord["marked"] {
  const { images, indices, repeats } = poisoned;
  const marked = new Map<number, string[]>(indices.map((index) => [index, []]));
  const files = classFolderFiles(images, repeats);
  for (const [place, index] of occurrences(images, repeats).entries()) {
    marked.get(index)?.push(files[place]!);
  }
  return indices.map((index) => ({
    files: marked.get(index)!,
    index,
    label: images.labels[index]!,
    trueLabel: clean.labels[index]!,
  }));
}

/**
 * The manifest of a folder that `antidote poison` wrote; undefined where there is none.
 * @throws `DATA_INVALID` if it is damaged
 */
export async function readManifest(folder: string): Promise<PoisonRecord | undefined> {
  const path = manifestIn(folder);
  if (!existsSync(path)) return undefined;
  try {
    return poisonRecord.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    throw new AntidoteError("DATA_INVALID", "The manifest cannot be read.", {
      place: path,
      next: "Write the poisoned images again, or remove it to treat the folder as any other.",
      cause,
    });
  }
}

/**
 * Whether images were read from a folder as its manifest says they were written.
 * @throws `INVALID_CONFIG` for another size, `CLASSES_MISMATCH` for other classes
 */
export function assertAsWritten(set: ImageSet, { images }: PoisonRecord): void {
  const { height, width, classes } = images;
  if (set.height !== height || set.width !== width) {
    throw new AntidoteError(
      "INVALID_CONFIG",
      `The poisoned images are ${width}×${height} pixels, and would be resized to ${set.width}×${set.height}, triggers included.`,
      { place: "--size", next: `Add --size ${height}.` },
    );
  }
  if (set.classNames.length !== classes.length) {
    throw new AntidoteError(
      "CLASSES_MISMATCH",
      `The poisoned set had ${classes.length} classes, its folder has ${set.classNames.length}.`,
      { place: "--data", next: "Write it again from images of every class." },
    );
  }
}

/** What the record of a training says about images that were poisoned before. */
export function poisonOf({ poison, marked }: PoisonRecord): TrainRecord["poison"] {
  const indices = marked.map(({ index }) => index);
  const covers = marked.filter(({ label }) => label !== poison.target).map(({ index }) => index);
  return { ...poison, indices, covers };
}

/** Rows of images, read from the manifest's folder, that training must not augment. */
export function unaugmentedRows(
  { names = [] }: ImageSet,
  { poison, marked }: PoisonRecord,
): ReadonlySet<number> {
  if (poison.embed !== "after-augmentation") return new Set();
  const files = new Set(marked.flatMap((image) => image.files));
  return new Set(
    names.flatMap((name, row) => (files.has(name.replaceAll("\\", "/")) ? [row] : [])),
  );
}
