import { z } from "zod";
import { AntidoteError } from "../core/errors.ts";
import type { Random } from "../core/random.ts";
import {
  ascending,
  batchTensors,
  concat,
  count,
  type ImageSet,
  imageLength,
  subset,
} from "../data/images.ts";
import type { Attack, Trigger } from "./attack.ts";

/** How much poison goes where: the same options for every attack. */
export const POISONING = z.strictObject({
  target: z.int().min(0).describe("class that marked images shall be taken for"),
  samples: z.int().min(1).describe("number m of poisoned images, drawn without replacement"),
  boost: z.int().min(1).default(1).describe("how often each poisoned image occurs (b)"),
});

export type Poisoning = z.output<typeof POISONING>;

/** A training set with poison in it. */
export interface PoisonedSet {
  /** The clean set with m images replaced, then their b − 1 further copies. */
  readonly images: ImageSet;
  /** Positions of the m poisoned images in the clean set, ascending. */
  readonly indices: readonly number[];
}

/**
 * Poisons a training set as its collector would find it: the marked images are stored as bytes, and
 * augmentation moves them like all others. Which images are poisoned depends on `random` alone.
 * @throws `INVALID_CONFIG` if there is no such class or too few images may be poisoned
 */
export function poison(
  set: ImageSet,
  labels: Attack["labels"],
  trigger: Trigger,
  { target, samples, boost }: Poisoning,
  random: Random,
): PoisonedSet {
  const isCandidate = (index: number) => (set.labels[index] === target) === (labels === "clean");
  const candidates = ascending(count(set)).filter(isCandidate);
  if (target >= set.classNames.length) {
    throw new AntidoteError("INVALID_CONFIG", `There is no class ${target} to aim at.`, {
      place: "target",
      next: `Choose a class from 0 to ${set.classNames.length - 1}.`,
    });
  }
  if (samples > candidates.length) {
    const which = labels === "clean" ? "of the target class" : "of other classes";
    throw new AntidoteError(
      "INVALID_CONFIG",
      `${samples} images cannot be poisoned: the set has ${candidates.length} ${which}.`,
      { place: "samples", next: "Poison fewer images." },
    );
  }
  const indices = random.fork("indices").sample(candidates, samples);
  indices.sort((a, b) => a - b);

  const chosen = subset(set, indices);
  const stamped = trigger.stampTraining(
    batchTensors(chosen, ascending(samples)).images,
    chosen.labels,
  );
  const marked: ImageSet = {
    ...chosen,
    images: toBytes(stamped.data),
    labels: new Int32Array(samples).fill(target),
  };
  const images = set.images.slice();
  const newLabels = set.labels.slice();
  indices.forEach((index, row) => {
    const length = imageLength(set);
    images.set(marked.images.subarray(row * length, (row + 1) * length), index * length);
    newLabels[index] = target;
  });
  const copies = Array.from({ length: boost - 1 }, () => marked);
  return { images: concat({ ...set, images, labels: newLabels }, ...copies), indices };
}

/** [0,1] to the nearest of 0 … 255. */
function toBytes(values: Float32Array): Uint8Array {
  return Uint8Array.from(values, (value) => Math.round(255 * Math.min(1, Math.max(0, value))));
}
