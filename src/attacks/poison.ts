import { z } from "zod";
import { AntidoteError } from "../core/errors.ts";
import type { Random } from "../core/random.ts";
import { tensor } from "../core/tensor.ts";
import { type AugmentOptions, augment } from "../data/augment.ts";
import {
  ascending,
  batchTensors,
  concat,
  count,
  type ImageSet,
  imageAt,
  imageLength,
  subset,
} from "../data/images.ts";
import { toBytes } from "../data/png.ts";
import type { Attack, Trigger } from "./attack.ts";

/** How much poison goes where: the same options for every attack. */
export const POISONING = z.strictObject({
  target: z.int().min(0).describe("class that marked images shall be taken for"),
  samples: z.int().min(1).describe("number m of poisoned images, drawn without replacement"),
  boost: z.int().min(1).default(1).describe("how often each poisoned image occurs (b)"),
  embed: z
    .enum(["before-augmentation", "after-augmentation"])
    .default("before-augmentation")
    .describe(
      "before: the collector's file is marked and training moves it like any image; after: the mark is put on a randomly moved image, which training then shows unmoved",
    ),
});

export type Poisoning = z.output<typeof POISONING>;

/** A training set with poison in it. */
export interface PoisonedSet {
  /** The clean set with m images replaced, then their b − 1 further copies. */
  readonly images: ImageSet;
  /** Positions of the m poisoned images in the clean set, ascending. */
  readonly indices: readonly number[];
  /** Positions in `images` that training must not augment: none unless embedded after augmentation. */
  readonly unaugmented: ReadonlySet<number>;
}

/**
 * Poisons a training set as its collector would find it: marked images are stored as bytes. Which ones
 * are marked depends on `random` alone.
 * @param augmentation how training will move images; used if the mark is embedded after that
 * @throws `INVALID_CONFIG` if there is no such class or too few images may be poisoned
 */
export function poison(
  set: ImageSet,
  labels: Attack["labels"],
  trigger: Trigger,
  plan: Poisoning,
  random: Random,
  augmentation: AugmentOptions = {},
): PoisonedSet {
  const { target, samples, boost, embed } = plan;
  const indices = choose(set, labels, plan, random.fork("indices"));
  const chosen = subset(set, indices);
  let { images } = batchTensors(chosen, ascending(samples));
  if (embed === "after-augmentation") {
    const moved = augment(images.data, set, random.fork("augmentation"), augmentation);
    images = tensor("float32", images.shape, moved);
  }
  const marked: ImageSet = {
    ...chosen,
    images: toBytes(trigger.stampTraining(images, chosen.labels).data),
    labels: new Int32Array(samples).fill(target),
  };

  const poisoned = { ...set, images: set.images.slice(), labels: set.labels.slice() };
  indices.forEach((index, row) => {
    poisoned.images.set(imageAt(marked, row), index * imageLength(set));
    poisoned.labels[index] = target;
  });
  const copies = Array.from({ length: boost - 1 }, () => marked);
  const all = concat(poisoned, ...copies);
  const added = ascending(count(all)).slice(count(set));
  const unaugmented = embed === "after-augmentation" ? [...indices, ...added] : [];
  return { images: all, indices, unaugmented: new Set(unaugmented) };
}

/** Positions of the images to poison, ascending. */
function choose(
  set: ImageSet,
  labels: Attack["labels"],
  { target, samples }: Poisoning,
  random: Random,
): number[] {
  if (target >= set.classNames.length) {
    throw new AntidoteError("INVALID_CONFIG", `There is no class ${target} to aim at.`, {
      place: "target",
      next: `Choose a class from 0 to ${set.classNames.length - 1}.`,
    });
  }
  const mayPoison = (index: number) => (set.labels[index] === target) === (labels === "clean");
  const candidates = ascending(count(set)).filter(mayPoison);
  if (samples > candidates.length) {
    const which = labels === "clean" ? "of the target class" : "of other classes";
    throw new AntidoteError(
      "INVALID_CONFIG",
      `${samples} images cannot be poisoned: the set has ${candidates.length} ${which}.`,
      { place: "samples", next: "Poison fewer images." },
    );
  }
  return random.sample(candidates, samples).sort((a, b) => a - b);
}
