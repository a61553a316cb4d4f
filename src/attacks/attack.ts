import type { z } from "zod";
import type { Method } from "../core/method.ts";
import type { Geometry, ImageSet } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import type { Stamp } from "../models/predict.ts";
import type { RunContext } from "../runtime/context.ts";

/** What an attack is to be made for. */
export interface AttackInput {
  readonly geometry: Geometry;
  readonly classes: number;
  /** Class that marked images shall be taken for. */
  readonly target: number;
  /** The network that the attacker has in place of the one to be attacked: see `Attack.needs`. */
  readonly surrogate?: Classifier | undefined;
  /** Pictures to mark with, in the size of the images: see `Attack.needs`. */
  readonly photographs?: ImageSet | undefined;
}

/**
 * How an attack marks images in [0,1], before any normalisation. No function changes its argument. What the
 * trigger is follows from the attack's options and `AttackInput` alone, so that whoever knows them can measure
 * its success; what is drawn anew for every image (a place, a dropped square) comes from the run's random numbers.
 */
export interface Trigger {
  /** Marks training images; `poison` chooses which ones and sets their labels. */
  readonly stampTraining: Stamp;
  /** Marks images that the trained model shall misclassify. */
  readonly stampTest: Stamp;
  /** Marked images that keep their true label, so that the trigger is learned less conspicuously. */
  readonly cover?: Cover | undefined;
  /** Frees what the stamps hold on the device, if anything. */
  release?(): Promise<void>;
}

export interface Cover {
  /** Share of the m marked images, in [0,1). They are images of other classes than the target. */
  readonly share: number;
  readonly stamp: Stamp;
}

/** Something that an attack asks for beside the images. */
export type Need = "surrogate" | "photographs";

/**
 * A data-poisoning attack: it marks images and judges nothing. `poison` applies it to a training set.
 * Attacks exist here to measure defences.
 */
export interface Attack<Config extends z.ZodType = z.ZodType>
  extends Method<RunContext, AttackInput, Promise<Trigger>, Config> {
  /**
   * "poison": images of other classes are marked and labelled as the target. "clean": images of the
   * target class are marked and keep their label.
   */
  readonly labels: "poison" | "clean";
  /** What of `AttackInput` it cannot do without under these options. */
  needs?(config: z.output<Config>): readonly Need[];
  /**
   * Whether images have room for what these options ask for, known before the attack is made.
   * @throws `INVALID_CONFIG` that names the option as its place
   */
  requireRoom?(geometry: Geometry, config: z.output<Config>): void;
}
