import { AntidoteError } from "../core/errors.ts";
import type { Random } from "../core/random.ts";
import { ascending, count, type ImageSet, indicesByClass } from "./images.ts";

export interface StratifiedOptions {
  /**
   * `equal` (default): the same number of every class, as far as the classes go; `proportional`: the
   * shares that the classes have in the set.
   */
  readonly balance?: "equal" | "proportional" | undefined;
  /** Least number of images of every class. Default 1. */
  readonly minimumPerClass?: number | undefined;
}

/**
 * Chooses `total` images at random, spread over the classes; returns their positions, ascending.
 * Which images of a class are taken depends on the stream and on that class alone.
 * Errors: `TOO_FEW_IMAGES` if the set has fewer than `total`, or a class would get fewer than
 * `minimumPerClass`, naming the classes.
 */
export function stratified(
  set: ImageSet,
  total: number,
  random: Random,
  { balance = "equal", minimumPerClass = 1 }: StratifiedOptions = {},
): number[] {
  if (total > count(set)) {
    throw new AntidoteError("TOO_FEW_IMAGES", `${total} images wanted of ${count(set)}.`, {
      next: "Give more images or ask for fewer.",
    });
  }
  const groups = indicesByClass(set);
  const sizes = groups.map((group) => group.length);
  // Ties and rounding are settled in an order of classes drawn once, not always for class 0.
  const order = random.fork("classes").shuffle(sizes.map((_, label) => label));
  const quota = balance === "equal" ? evenly(sizes, total, order) : shares(sizes, total, order);
  requirePerClass(quota, minimumPerClass, set.classNames);
  return groups
    .flatMap((group, label) => random.fork(`class/${label}`).sample(group, quota[label]!))
    .sort((a, b) => a - b);
}

/**
 * Parts the set into `folds` of nearly equal size with nearly the same share of every class, for
 * cross-fitting: result[f] lists the positions held out in fold f, ascending.
 * Errors: `TOO_FEW_IMAGES` if a class has fewer images than there are folds, naming the classes.
 */
export function stratifiedFolds(set: ImageSet, folds: number, random: Random): number[][] {
  const groups = indicesByClass(set);
  const sizes = groups.map((group) => group.length);
  requirePerClass(sizes, folds, set.classNames);
  const parts: number[][] = Array.from({ length: folds }, () => []);
  // Dealing on where the last class ended keeps the folds' sizes within one of each other.
  let next = 0;
  groups.forEach((group, label) => {
    for (const index of random.fork(`class/${label}`).shuffle(group)) {
      parts[next++ % folds]!.push(index);
    }
  });
  return parts.map((part) => part.sort((a, b) => a - b));
}

/** The positions of a set of `total` images that are not in `chosen`, ascending. */
export function complement(total: number, chosen: readonly number[]): number[] {
  const taken = new Set(chosen);
  return ascending(total).filter((index) => !taken.has(index));
}

/** Deals `total` to the classes one at a time until each is empty. */
function evenly(sizes: readonly number[], total: number, order: readonly number[]): number[] {
  const quota = sizes.map(() => 0);
  let left = total;
  while (left > 0) {
    const open = order.filter((label) => quota[label]! < sizes[label]!);
    const each = Math.floor(left / open.length);
    if (each === 0) {
      for (const label of open.slice(0, left)) quota[label]!++;
      return quota;
    }
    for (const label of open) {
      const taken = Math.min(each, sizes[label]! - quota[label]!);
      quota[label]! += taken;
      left -= taken;
    }
  }
  return quota;
}

/** Shares in proportion to the sizes, rounded by largest remainder. */
function shares(sizes: readonly number[], total: number, order: readonly number[]): number[] {
  const all = sizes.reduce((sum, size) => sum + size, 0);
  const exact = sizes.map((size) => (total * size) / all);
  const quota = exact.map(Math.floor);
  const left = total - quota.reduce((sum, share) => sum + share, 0);
  const remainder = (label: number) => exact[label]! - quota[label]!;
  const byRemainder = [...order].sort((a, b) => remainder(b) - remainder(a));
  for (const label of byRemainder.slice(0, left)) quota[label]!++;
  return quota;
}

function requirePerClass(
  available: readonly number[],
  minimum: number,
  classNames: readonly string[],
): void {
  const short = classNames.flatMap((name, label) =>
    available[label]! < minimum ? [`${name} (${available[label]})`] : [],
  );
  if (short.length === 0) return;
  const named = short.length <= 12 ? short.join(", ") : `${short.slice(0, 10).join(", ")}, …`;
  throw new AntidoteError(
    "TOO_FEW_IMAGES",
    `At least ${minimum} images of each class are needed; too few of ${named}.`,
    { next: "Add images of these classes, or ask for more in all." },
  );
}
