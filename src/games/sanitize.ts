import type { Configured } from "../audit/options.ts";
import { areaUnderRoc } from "../core/ranking.ts";
import { ascending, count, subset } from "../data/images.ts";
import { complement } from "../data/split.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Sanitized, Sanitizer } from "../sanitizers/sanitizer.ts";
import type { Collected, Train } from "./collect.ts";

/** A training set as it is used. */
export interface Curated {
  readonly collected: Collected;
  /** What the sanitizer was worth; undefined without one. */
  readonly filtered?: Filtered | undefined;
}

/** A sanitizer's work, judged by who knows which images are poisoned. Covers, which bear their true label, are not. */
export interface Filtered {
  /** Images that it looked at. */
  readonly images: number;
  readonly removed: number;
  /** Poisoned images, and those of them that it removed. */
  readonly poisoned: number;
  readonly removedPoisoned: number;
  /** ROC AUC of its scores, poisoned against other images of the same label; null without any. */
  readonly separation: number | null;
}

/**
 * `Sanitize` of Algorithm 1 (line 8): leaves out what a sanitizer suspects; the identity without one.
 * @param scout trains the network that the sanitizer looks through, on everything
 */
export async function sanitize(
  context: RunContext,
  collected: Collected,
  sanitizer: Configured<Sanitizer> | undefined,
  scout: Train,
): Promise<Curated> {
  if (!sanitizer) return { collected };
  const { method, config } = sanitizer;
  const model = await scout(context, collected);
  const own = { ...context, random: context.random.fork("sanitizer") };
  const sanitized = await method.run(own, { images: collected.images, model }, config);
  return {
    collected: without(collected, sanitized.removed),
    filtered: judgeFilter(collected, sanitized),
  };
}

function judgeFilter(
  { images, indices, covers }: Collected,
  { scores, removed }: Sanitized,
): Filtered {
  const honest = new Set(covers);
  const poisoned = new Set(indices.filter((index) => !honest.has(index)));
  const labels = new Set(Array.from(poisoned, (index) => images.labels[index]!));
  const rivals = ascending(count(images)).filter(
    (index) => !poisoned.has(index) && labels.has(images.labels[index]!),
  );
  const of = (positions: Iterable<number>) => Array.from(positions, (index) => scores[index]!);
  const comparable = poisoned.size > 0 && rivals.length > 0;
  return {
    images: count(images),
    removed: removed.length,
    poisoned: poisoned.size,
    removedPoisoned: removed.filter((index) => poisoned.has(index)).length,
    separation: comparable ? areaUnderRoc(of(poisoned), of(rivals)) : null,
  };
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
