import type { Configured } from "../audit/options.ts";
import { count, subset } from "../data/images.ts";
import { complement } from "../data/split.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Sanitized, Sanitizer } from "../sanitizers/sanitizer.ts";
import type { Collected, Train } from "./collect.ts";

/** A training set as it is used. */
export interface Curated {
  readonly collected: Collected;
  /** What the sanitizer said about the images that were collected; undefined without one. */
  readonly sanitized?: Sanitized | undefined;
}

/** `Sanitize` of Algorithm 1 (line 8): leaves out what a sanitizer suspects; the identity without one. */
export async function sanitize(
  context: RunContext,
  collected: Collected,
  sanitizer: Configured<Sanitizer> | undefined,
  train: Train,
): Promise<Curated> {
  if (!sanitizer) return { collected };
  const { method, config } = sanitizer;
  const model = await train(context, collected);
  const own = { ...context, random: context.random.fork("sanitizer") };
  const sanitized = await method.run(own, { images: collected.images, model }, config);
  return { collected: without(collected, sanitized.removed), sanitized };
}

/** A set without some of its images. */
export function without(collected: Collected, removed: readonly number[]): Collected {
  const kept = complement(count(collected.images), removed);
  const places = new Map(kept.map((from, to) => [from, to]));
  const moved = (positions: Iterable<number>) =>
    [...positions].flatMap((position) => places.get(position) ?? []);
  return {
    ...collected,
    images: subset(collected.images, kept),
    indices: moved(collected.indices),
    covers: moved(collected.covers),
    repeats: moved(collected.repeats),
    unaugmented: new Set(moved(collected.unaugmented)),
  };
}
