import { z } from "zod";
import { AntidoteError, throwIfCancelled } from "../core/errors.ts";
import type { Emit } from "../core/progress.ts";
import type { Random } from "../core/random.ts";
import { float32 } from "../core/tensor.ts";
import { type AugmentOptions, augment } from "../data/augment.ts";
import {
  ascending,
  batches,
  concat,
  count,
  type ImageSet,
  imageAt,
  imageLength,
  subset,
} from "../data/images.ts";
import { toBytes } from "../data/png.ts";
import type { Stamp } from "../models/predict.ts";
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
  /** Positions of the m marked images in the clean set, ascending. */
  readonly indices: readonly number[];
  /** Which of them keep their true label, ascending. */
  readonly covers: readonly number[];
  /** Positions in `images` that training must not augment: none unless embedded after augmentation. */
  readonly unaugmented: ReadonlySet<number>;
}

export interface PoisonContext {
  readonly random: Random;
  readonly emit?: Emit | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How training will move images; used if the mark is embedded after that. */
  readonly augmentation?: AugmentOptions | undefined;
}

/**
 * Poisons a training set as its collector would find it: marked images are stored as bytes. Which ones
 * are marked depends on `random` alone.
 * @throws `INVALID_CONFIG` if there is no such class or too few images may be poisoned; `CANCELLED`
 */
export async function poison(
  set: ImageSet,
  labels: Attack["labels"],
  trigger: Trigger,
  plan: Poisoning,
  context: PoisonContext,
): Promise<PoisonedSet> {
  const { target, samples, boost, embed } = plan;
  const { random, augmentation = {} } = context;
  const { cover } = trigger;
  const covering = cover ? Math.round(cover.share * samples) : 0;
  const poisoned = choose(set, labels, target, samples - covering, random.fork("indices"));
  const covers = choose(set, "poison", target, covering, random.fork("covers"), poisoned);

  const late = embed === "after-augmentation";
  const mark = (indices: readonly number[], stamp: Stamp) => {
    const draws = random.fork("augmentation");
    const moved: Stamp = ({ shape, data }, positions) =>
      stamp(
        float32(shape, augment(data, set, draws.fork(`${positions[0]}`), augmentation)),
        positions,
      );
    return stampImages(set, indices, late ? moved : stamp, context);
  };
  const wrong = await mark(poisoned, trigger.stampTraining);
  wrong.labels.fill(target);
  const marked = cover ? concat(wrong, await mark(covers, cover.stamp)) : wrong;

  const all = { ...set, images: set.images.slice(), labels: set.labels.slice() };
  const indices = [...poisoned, ...covers];
  indices.forEach((index, row) => {
    all.images.set(imageAt(marked, row), index * imageLength(set));
    all.labels[index] = marked.labels[row]!;
  });
  const images = concat(all, ...Array.from({ length: boost - 1 }, () => marked));
  const added = ascending(count(images)).slice(count(set));
  return {
    images,
    indices: indices.sort((a, b) => a - b),
    covers,
    unaugmented: new Set(late ? [...indices, ...added] : []),
  };
}

/** Images that are marked at a time. */
const BATCH = 100;

/** Marked copies of the images at `indices`, as bytes. */
export async function stampImages(
  set: ImageSet,
  indices: readonly number[],
  stamp: Stamp,
  { emit, signal }: Pick<PoisonContext, "emit" | "signal"> = {},
): Promise<ImageSet> {
  const marked = subset(set, indices);
  if (indices.length === 0) return marked;
  let row = 0;
  for (const { images, valid } of batches(marked, Math.min(BATCH, indices.length), signal)) {
    throwIfCancelled(signal);
    const { data } = await stamp(images, indices.slice(row, row + valid));
    const length = imageLength(set);
    marked.images.set(toBytes(data.subarray(0, valid * length)), row * length);
    row += valid;
    emit?.({ kind: "step", stage: "mark images", done: row, total: indices.length });
  }
  return marked;
}

/** Positions of the images to mark, ascending. */
function choose(
  set: ImageSet,
  labels: Attack["labels"],
  target: number,
  samples: number,
  random: Random,
  taken: readonly number[] = [],
): number[] {
  if (target >= set.classNames.length) {
    throw new AntidoteError("INVALID_CONFIG", `There is no class ${target} to aim at.`, {
      place: "target",
      next: `Choose a class from 0 to ${set.classNames.length - 1}.`,
    });
  }
  const excluded = new Set(taken);
  const mayPoison = (index: number) =>
    (set.labels[index] === target) === (labels === "clean") && !excluded.has(index);
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
