import { invariant, throwIfCancelled } from "../core/errors.ts";
import type { Random } from "../core/random.ts";
import { type FloatTensor, type Tensor, tensor } from "../core/tensor.ts";
import { gathered, type Pixels } from "./pixels.ts";

/** The size of one image. */
export interface Geometry {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** "3×32×32": channels, height and width. */
export function geometryInWords({ channels, height, width }: Geometry): string {
  return `${channels}×${height}×${width}`;
}

/** Where a set of images was read from. */
export interface Origin {
  readonly kind: "folder" | "cifar10" | "idx" | "procedural";
  /** As it was given; null for drawn images. */
  readonly path: string | null;
  /** How labels were matched to class indices, in words. */
  readonly classOrder: string;
  /** How pictures were brought to the set's size, in words; absent where files had it. */
  readonly sizing?: string | undefined;
}

/** Labelled images as stored in files: before any preprocessing a model wants. */
export interface ImageSet extends Geometry {
  /**
   * [N,C,H,W], 0 … 255, channels in the order R, G, B (or one channel of grey). In memory, unless there are many
   * (`IN_MEMORY`): `imageAt` reads one.
   */
  readonly images: Pixels;
  /** [N], each an index into `classNames`. */
  readonly labels: Int32Array;
  readonly classNames: readonly string[];
  /** [N], where each image came from, if it came from a file of its own. */
  readonly names?: readonly string[] | undefined;
  /** Where the set was read from, if it was read. */
  readonly origin?: Origin | undefined;
}

/** Images as a graph takes them. */
export interface Batch {
  /** [B,C,H,W] in [0,1]; rows from `valid` on are zero. */
  readonly images: FloatTensor;
  /** [B]; rows from `valid` on are zero. */
  readonly labels: Tensor<"int64">;
  /** How many of the B rows hold an image; the others only fill a batch of fixed size. */
  readonly valid: number;
  /** [valid], the position of each row in the set it was taken from. */
  readonly indices: ArrayLike<number>;
}

/** Number of images. */
export function count(set: ImageSet): number {
  return set.labels.length;
}

/** Bytes of one image: C·H·W. */
export function imageLength({ channels, height, width }: Geometry): number {
  return channels * height * width;
}

/** Image `index` of the set, [C,H,W]; perhaps a view, so not to be written to. */
export function imageAt(set: ImageSet, index: number): Uint8Array {
  const length = imageLength(set);
  return set.images.subarray(index * length, (index + 1) * length);
}

/** The positions of the images of every class: result[k] lists those with label k, ascending. */
export function indicesByClass(set: ImageSet): number[][] {
  const groups: number[][] = set.classNames.map(() => []);
  set.labels.forEach((label, index) => {
    groups[label]!.push(index);
  });
  return groups;
}

/** The positions of the images that are not of class `label`, ascending. */
export function indicesOfOthers({ labels }: ImageSet, label: number): number[] {
  return ascending(labels.length).filter((index) => labels[index] !== label);
}

/**
 * The positions of all images that an epoch shows: each once, then those that it shows again.
 * @param repeats positions, one entry for each further time
 */
export function occurrences(set: ImageSet, repeats: readonly number[] = []): number[] {
  return [...ascending(count(set)), ...repeats];
}

/** A copy of the images at `indices`, in that order; an index may occur more than once. */
export function subset(set: ImageSet, indices: ArrayLike<number>): ImageSet {
  const chosen = Int32Array.from(indices);
  const images = gathered(chosen.length, imageLength(set), (row) => imageAt(set, chosen[row]!));
  const labels = Int32Array.from(indices, (index) => set.labels[index]!);
  const names = set.names && Array.from(indices, (index) => set.names![index]!);
  return { ...set, images, labels, names };
}

/** One set after the other; all of one geometry and with the same class names. */
export function concat(first: ImageSet, ...others: readonly ImageSet[]): ImageSet {
  const sets = [first, ...others];
  for (const set of others) {
    invariant(
      set.channels === first.channels && set.height === first.height && set.width === first.width,
      "sets of different image size cannot be joined",
    );
    invariant(
      set.classNames.length === first.classNames.length &&
        set.classNames.every((name, index) => name === first.classNames[index]),
      "sets of different classes cannot be joined",
    );
  }
  const places = sets.flatMap((set) => ascending(count(set)).map((index) => ({ set, index })));
  const images = gathered(places.length, imageLength(first), (row) => {
    const { set, index } = places[row]!;
    return imageAt(set, index);
  });
  const labels = Int32Array.from(places, ({ set, index }) => set.labels[index]!);
  const named = sets.every((set) => set.names !== undefined);
  return {
    ...first,
    images,
    labels,
    names: named ? sets.flatMap((set) => set.names ?? []) : undefined,
  };
}

/** Scales bytes 0 … 255 to [0,1]. */
export function toUnitRange(bytes: Uint8Array): Float32Array {
  const values = new Float32Array(bytes.length);
  writeUnitRange(bytes, values, 0);
  return values;
}

// The quotients in float32, as PyTorch's ToTensor rounds them: value / 255.
const UNIT = Float32Array.from({ length: 256 }, (_, value) => value / 255);

function writeUnitRange(bytes: Uint8Array, target: Float32Array, offset: number): void {
  for (let i = 0; i < bytes.length; i++) target[offset + i] = UNIT[bytes[i]!]!;
}

/** The images at `indices` as tensors, filled up with zero rows to `batchSize` (default: none). */
export function batchTensors(
  set: ImageSet,
  indices: ArrayLike<number>,
  batchSize: number = indices.length,
): Batch {
  invariant(indices.length <= batchSize, "more images than the batch has rows");
  const length = imageLength(set);
  const images = new Float32Array(batchSize * length); // [B,C,H,W]
  const labels = new BigInt64Array(batchSize); // [B]
  for (let row = 0; row < indices.length; row++) {
    writeUnitRange(imageAt(set, indices[row]!), images, row * length);
    labels[row] = BigInt(set.labels[indices[row]!]!);
  }
  return {
    images: tensor("float32", [batchSize, set.channels, set.height, set.width], images),
    labels: tensor("int64", [batchSize], labels),
    valid: indices.length,
    indices,
  };
}

/** The whole set in order, in batches of fixed size; the last one is filled up with zero rows. */
export function* batches(
  set: ImageSet,
  batchSize: number,
  signal?: AbortSignal,
): Generator<Batch, void, void> {
  for (const indices of chunks(ascending(count(set)), batchSize)) {
    throwIfCancelled(signal);
    yield batchTensors(set, indices, batchSize);
  }
}

/**
 * The order of one training epoch: positions 0 … total−1 shuffled, in chunks of `batchSize`. It
 * depends on the stream and the epoch number only, so training resumes at any epoch. A last chunk
 * that is not full is dropped with `dropLast` (as long as there is a full one), else kept short.
 */
export function epochBatches(
  total: number,
  batchSize: number,
  epoch: number,
  random: Random,
  dropLast = true,
): number[][] {
  const order = random.fork(`epoch/${epoch}`).shuffle(ascending(total));
  const all = [...chunks(order, batchSize)];
  if (dropLast && all.length > 1 && all.at(-1)!.length < batchSize) all.pop();
  return all;
}

/** 0 … total−1. */
export function ascending(total: number): number[] {
  return Array.from({ length: total }, (_, index) => index);
}

function* chunks(items: readonly number[], size: number): Generator<number[], void, void> {
  invariant(Number.isInteger(size) && size > 0, "a batch needs at least one row");
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
