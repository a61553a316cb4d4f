import { createHash } from "node:crypto";
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plusFromState } from "pure-rand/generator/xoroshiro128plus";
import type { RandomGenerator } from "pure-rand/types/RandomGenerator";

/**
 * A named stream of random numbers. A child stream depends on the root seed and its own path only,
 * never on how much its parent or siblings have drawn: adding a draw in one place shifts no other.
 */
export class Random {
  readonly #path: string;
  readonly #generator: RandomGenerator;

  private constructor(path: string) {
    this.#path = path;
    const digest = createHash("sha256").update(path).digest();
    const words = [0, 4, 8, 12].map((at) => digest.readInt32LE(at));
    this.#generator = xoroshiro128plusFromState(words);
  }

  /** The root stream of a run. */
  static fromSeed(seed: number): Random {
    return new Random(`seed:${seed}`);
  }

  /** The stream called `name` below this one, e.g. `random.fork("badnets/indices")`. */
  fork(name: string): Random {
    return new Random(`${this.#path}/${name}`);
  }

  /** Uniform in [low, high), 53 bits. */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * uniformFloat64(this.#generator);
  }

  /** Uniform among the integers low … high−1. */
  integer(low: number, high: number): number {
    return uniformInt(this.#generator, low, high - 1);
  }

  /** Normal with the given mean and standard deviation (Box–Muller). */
  normal(mean = 0, deviation = 1): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return mean + deviation * radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** True with probability p. */
  chance(p: number): boolean {
    return this.uniform() < p;
  }

  /** A position, drawn with probability ∝ its (non-negative) weight. */
  weighted(weights: readonly number[]): number {
    let left = this.uniform(
      0,
      weights.reduce((total, weight) => total + weight, 0),
    );
    for (const [index, weight] of weights.entries()) {
      left -= weight;
      if (left < 0) return index;
    }
    return weights.length - 1;
  }

  /** A new array in random order (Fisher–Yates). */
  shuffle<T>(items: readonly T[]): T[] {
    const order = [...items];
    for (let i = order.length - 1; i > 0; i--) {
      const j = this.integer(0, i + 1);
      [order[i], order[j]] = [order[j] as T, order[i] as T];
    }
    return order;
  }

  /** `count` different items, in random order; all of them if there are fewer. */
  sample<T>(items: readonly T[], count: number): T[] {
    return this.shuffle(items).slice(0, count);
  }
}
