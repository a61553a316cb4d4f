import type { z } from "zod";
import type { Method } from "../core/method.ts";
import type { ImageSet } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import type { RunContext } from "../runtime/context.ts";

/** All that a sanitizer may see: what was collected, and a network that was trained on all of it. */
export interface SanitizerInput {
  /** Images with the labels that they came with. */
  readonly images: ImageSet;
  readonly model: Classifier;
}

/** What a sanitizer thinks of a training set. */
export interface Sanitized {
  /** Larger is more suspicious; comparable within a class. By position in the set, [N]. */
  readonly scores: Float64Array;
  /** Positions of the images to leave out, ascending. */
  readonly removed: readonly number[];
}

/**
 * A defence before training: it says which images to leave out, and judges nothing. The network that it looks
 * through is trained on everything first; the one that is used is trained anew on what is left.
 */
export type Sanitizer<Config extends z.ZodType = z.ZodType> = Method<
  RunContext,
  SanitizerInput,
  Promise<Sanitized>,
  Config
>;
