/** One round of a search: so many configurations run for so many steps. */
export interface Rung {
  readonly configurations: number;
  readonly steps: number;
}

/** Every rung keeps one configuration in three, and gives it three times the steps. */
const FACTOR = 3;
/** Fewer steps say nothing about a configuration. */
const FEWEST_STEPS = 20;
/** More rungs than this let the first one decide by a hundredth of the steps. */
const MOST_RUNGS = 3;

/** How a search spends its steps. */
export type Strategy = "halving" | "grid";

/**
 * The rounds of a search, the last one with all steps. "grid" runs every configuration to its end. "halving" is
 * successive halving (Jamieson & Talwalkar, 2016): all of them run for a ninth of the steps, the best third anew for a
 * third, the best ninth to the end. A run starts anew in every rung, so that its schedule fits its length.
 */
export function rungsOf(strategy: Strategy, configurations: number, steps: number): Rung[] {
  const rungs: Rung[] = [];
  for (let back = strategy === "grid" ? 0 : MOST_RUNGS - 1; back >= 0; back--) {
    const shorter = Math.round(steps / FACTOR ** back);
    const kept = Math.ceil(configurations / FACTOR ** rungs.length);
    // A rung that drops nobody, or says nothing, is left out.
    const useful = shorter >= FEWEST_STEPS && kept > 1;
    if (back === 0 || useful) rungs.push({ configurations: kept, steps: shorter });
  }
  return rungs;
}

/**
 * Runs the rounds of a search: every rung takes the best of the one before, and beside them the first configuration, which
 * the others are compared with.
 * @param run one configuration for so many steps
 * @param compare negative if the first result is better
 * @returns the results of the last rung, best first; equals in the order of their configurations
 */
export async function climb<Configuration, Result>(
  rungs: readonly Rung[],
  configurations: readonly Configuration[],
  run: (configuration: Configuration, steps: number) => Promise<Result>,
  compare: (a: Result, b: Result) => number,
): Promise<Result[]> {
  let left = configurations.map((configuration, order) => ({ configuration, order }));
  let results: Result[] = [];
  for (const { configurations: size, steps } of rungs) {
    const ran = [];
    for (const entry of left.filter(({ order }, rank) => rank < size || order === 0)) {
      ran.push({ ...entry, result: await run(entry.configuration, steps) });
    }
    left = ran.sort((a, b) => compare(a.result, b.result) || a.order - b.order);
    results = ran.map(({ result }) => result);
  }
  return results;
}
