import { z } from "zod";
import { AntidoteError } from "../core/errors.ts";
import type { Emit } from "../core/progress.ts";
import type { Random } from "../core/random.ts";
import { type AugmentOptions, augment } from "../data/augment.ts";
import {
  ascending,
  batches,
  concat,
  count,
  type Geometry,
  type ImageSet,
  imageAt,
  imageLength,
  indicesByClass,
  indicesOfOthers,
  subset,
} from "../data/images.ts";
import { gathered } from "../data/pixels.ts";
import { toBytes } from "../data/png.ts";
import type { Stamp } from "../models/predict.ts";
import type { Attack, Trigger } from "./attack.ts";
import { eachImage } from "./each-image.ts";

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
  /** The clean set with m images replaced by marked ones. */
  readonly images: ImageSet;
  /** Positions of the m marked images, ascending. */
  readonly indices: readonly number[];
  /** Which of them keep their true label, ascending. */
  readonly covers: readonly number[];
  /** Positions that every epoch shows once more, one entry for each further copy: (b − 1)·m. */
  readonly repeats: readonly number[];
  /** Positions that training must not augment: none unless embedded after augmentation. */
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
  const { target, boost, embed } = plan;
  const { random, augmentation = {} } = context;
  checkPlan(set, labels, plan, trigger);
  const { poisoned, covers } = choose(set, labels, plan, trigger, random);

  const late = embed === "after-augmentation";
  const mark = (indices: readonly number[], stamp: Stamp) =>
    stampImages(
      set,
      indices,
      late ? movedBefore(stamp, set, random, augmentation) : stamp,
      context,
    );
  const wrong = await mark(poisoned, trigger.stampTraining);
  wrong.labels.fill(target);
  const { cover } = trigger;
  const marked = cover ? concat(wrong, await mark(covers, cover.stamp)) : wrong;

  const rows = [...poisoned, ...covers];
  return {
    images: withMarked(set, rows, marked),
    indices: rows.toSorted((a, b) => a - b),
    covers,
    repeats: ascending(boost - 1).flatMap(() => rows),
    unaugmented: new Set(late ? rows : []),
  };
}

/** The stamp on images that have been moved at random, as training moves them. */
export function movedBefore(
  stamp: Stamp,
  geometry: Geometry,
  random: Random,
  augmentation: AugmentOptions,
): Stamp {
  const moved = eachImage(random.fork("augmentation"), (image, draws) => {
    image.set(augment(image, geometry, draws, augmentation));
  });
  return async (images, positions) => stamp(await moved(images, positions), positions);
}

/** The set with marked images in place of those at `rows`. */
function withMarked(set: ImageSet, rows: readonly number[], marked: ImageSet): ImageSet {
  const placed = new Map(rows.map((index, row) => [index, row]));
  const labels = set.labels.map((label, index) => {
    const row = placed.get(index);
    return row === undefined ? label : marked.labels[row]!;
  });
  const images = gathered(count(set), imageLength(set), (index) => {
    const row = placed.get(index);
    return row === undefined ? imageAt(set, index) : imageAt(marked, row);
  });
  return { ...set, images, labels };
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
  const chosen = subset(set, indices);
  if (indices.length === 0) return chosen;
  const length = imageLength(set);
  const images = new Uint8Array(indices.length * length);
  let row = 0;
  for (const { images: plain, valid } of batches(chosen, Math.min(BATCH, indices.length), signal)) {
    const { data } = await stamp(plain, indices.slice(row, row + valid));
    images.set(toBytes(data.subarray(0, valid * length)), row * length);
    row += valid;
    emit?.({ kind: "step", stage: "mark images", done: row, total: indices.length });
  }
  return { ...chosen, images };
}

/** How many of the marked images keep their label; at least one does not. */
function coversOf({ cover }: Pick<Trigger, "cover">, samples: number): number {
  return cover ? Math.min(samples - 1, Math.round(cover.share * samples)) : 0;
}

/**
 * Whether a set has the class and the images that a plan asks for.
 * @param trigger if it is known; before that, all marked images count as poisoned
 * @throws `INVALID_CONFIG`
 */
export function checkPlan(
  set: ImageSet,
  labels: Attack["labels"],
  { target, samples }: Poisoning,
  trigger: Pick<Trigger, "cover"> = {},
): void {
  assertClass(target, set.classNames.length);
  const covering = coversOf(trigger, samples);
  const ofTarget = labels === "clean" ? samples - covering : 0;
  assertEnough(ofTarget, candidates(set, "clean", target).length, "of the target class");
  assertEnough(samples - ofTarget, candidates(set, "poison", target).length, "of other classes");
}

/** @throws `INVALID_CONFIG` if there is no such class */
export function assertClass(target: number, classes: number): void {
  if (target < classes) return;
  throw new AntidoteError("INVALID_CONFIG", `There is no class ${target} to aim at.`, {
    place: "target",
    next: `Choose a class from 0 to ${classes - 1}.`,
  });
}

function assertEnough(wanted: number, there: number, which: string): void {
  if (wanted <= there) return;
  throw new AntidoteError(
    "INVALID_CONFIG",
    `${wanted} images cannot be poisoned: the set has ${there} ${which}.`,
    { place: "samples", next: "Poison fewer images." },
  );
}

/** Positions of the images to mark, ascending: those that are poisoned, and those that keep their label. */
function choose(
  set: ImageSet,
  labels: Attack["labels"],
  { target, samples }: Poisoning,
  trigger: Trigger,
  random: Random,
): Readonly<Record<"poisoned" | "covers", number[]>> {
  const covering = coversOf(trigger, samples);
  const draw = (from: readonly number[], total: number, name: string) =>
    random
      .fork(name)
      .sample(from, total)
      .sort((a, b) => a - b);
  const poisoned = draw(candidates(set, labels, target), samples - covering, "indices");
  const taken = new Set(poisoned);
  const left = candidates(set, "poison", target).filter((index) => !taken.has(index));
  return { poisoned, covers: draw(left, covering, "covers") };
}

/** Positions of the images of the target class ("clean"), or of all others. */
function candidates(set: ImageSet, labels: Attack["labels"], target: number): number[] {
  return labels === "poison" ? indicesOfOthers(set, target) : (indicesByClass(set)[target] ?? []);
}
