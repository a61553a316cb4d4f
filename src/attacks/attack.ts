import type { z } from "zod";
import type { Method } from "../core/method.ts";
import type { Geometry } from "../data/images.ts";
import type { Stamp } from "../models/predict.ts";
import type { RunContext } from "../runtime/context.ts";

/** What an attack is to be made for. */
export interface AttackInput {
  readonly geometry: Geometry;
  readonly classes: number;
  /** Class that marked images shall be taken for. */
  readonly target: number;
}

/** How an attack marks images in [0,1], before any normalisation. Neither function changes its argument. */
export interface Trigger {
  /** Marks training images; `poison` chooses which ones and sets their labels. */
  readonly stampTraining: Stamp;
  /** Marks images that the trained model shall misclassify. */
  readonly stampTest: Stamp;
}

/**
 * A data-poisoning attack: it marks images and judges nothing. `poison` applies it to a training set.
 */
export interface Attack<Config extends z.ZodType = z.ZodType>
  extends Method<RunContext, AttackInput, Promise<Trigger>, Config> {
  /**
   * "poison": images of other classes are marked and labelled as the target. "clean": images of the
   * target class are marked and keep their label.
   */
  readonly labels: "poison" | "clean";
}
