import type { Random } from "../../src/core/random.ts";

const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

/**
 * A stream that a Python script can follow: integers count up, nothing is shuffled, samples are the first items, and uniform numbers are
 * low + (high − low)·frac((i + 1)·φ). Every fork starts anew.
 */
export function inOrder(): Random {
  let drawn = 0;
  const stream: Partial<Random> = {
    fork: inOrder,
    integer: (low, high) => low + (drawn++ % (high - low)),
    uniform: (low = 0, high = 1) => low + (high - low) * ((++drawn * GOLDEN_RATIO) % 1),
    shuffle: (items) => [...items],
    sample: (items, count) => items.slice(0, count),
  };
  return stream as Random;
}
