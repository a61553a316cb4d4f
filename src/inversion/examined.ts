import { ascending } from "../data/images.ts";

/** Which classes of a model are examined, where that is not all of them. */
export interface Examined {
  /** Their indices, ascending. */
  readonly targets: readonly number[];
  /**
   * Those of them that were drawn at random from all classes, whatever screening says of them: the other ones were
   * picked for being extreme, so these alone are a sample of what is usual.
   */
  readonly controls: readonly number[];
}

/** The classes to examine; all where nothing says otherwise. */
export function targetsAmong(classes: number, examined: Examined | undefined): readonly number[] {
  return examined?.targets ?? ascending(classes);
}

/**
 * The entries of examined classes that say what is usual, without those of one class.
 * @param values one for every examined class, in the order of `targets`
 * @returns those of the controls where classes were picked, else all
 */
export function usualAmong<T>(
  values: readonly T[],
  targets: readonly number[],
  examined: Examined | undefined,
  without?: number,
): T[] {
  const usual = new Set(examined?.controls ?? targets);
  return values.filter((_, at) => usual.has(targets[at]!) && targets[at] !== without);
}
