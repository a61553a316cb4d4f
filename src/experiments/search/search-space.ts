import type { Random } from "../../core/random.ts";

/** Options of a method, complete. */
export type Configuration = Readonly<Record<string, unknown>>;

/**
 * The configurations of a search: the given one, and others drawn without replacement from all combinations of
 * the space's values.
 * @param space values to try, by option; options that it lacks stay as they are
 * @param total how many at most, the given one included
 */
export function configurationsOf(
  given: Configuration,
  space: Readonly<Record<string, readonly unknown[]>>,
  total: number,
  random: Random,
): Configuration[] {
  let all: Configuration[] = [given];
  for (const [option, values] of Object.entries(space)) {
    all = all.flatMap((one) => values.map((value) => ({ ...one, [option]: value })));
  }
  const text = JSON.stringify(given);
  const others = all.filter((one) => JSON.stringify(one) !== text);
  return [given, ...random.sample(others, total - 1)];
}
